"""Load a checkpoint of any kind as a policy, and save what steers as one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from policies.loading.folder import chain, fingerprint, parts, steering_parts, unchanged_chain
from policies.model.checkpoint import load_learnt, read_record
from policies.model.checkpoint_folder import RECORD, find
from policies.model.files import new_checkpoint, write_json
from policies.model.policy import DiffusionPolicy
from policies.model.provenance import versions
from policies.steering.record import (
    FORMAT,
    VERSION,
    ActorReference,
    BaseReference,
    CriticReference,
    PartReference,
    SteeredRecord,
    read_steered,
)
from policies.steering.registry import steer
from policies.steering.steered import Steered, layers
from robot.description import Policy, PolicySpec, to_json
from robot.description.record import fingerprint as of_values
from robot.errors import InputError

KINDS: tuple[type[PartReference], ...] = (CriticReference, ActorReference)
"""What may be learnt to steer; the option of a layer that steers by it is called as its kind."""


def load(path: Path | str, device: str = "cpu", embodiment: str | Callable[[PolicySpec], str] = "") -> Policy:
    """Load a policy.

    Args:
        path: a checkpoint folder, learnt or steered, or the output folder of a training run: its final checkpoint, else
            its last one.
        device: as in `choose_device`.
        embodiment: that it is to act as, of a policy of several, or what chooses one; empty leaves it to
            `for_embodiment`. A steered policy acts as the one that it was steered as.

    Returns:
        The policy; a steered one keeps the sampler that it was steered with.

    Raises:
        InputError: no checkpoint there, another format version, a file that is missing, cut short or incomplete, a
            base that is gone or was replaced, or no such embodiment.
    """
    folders = unchanged_chain(path)
    learnt = load_learnt(folders[-1], device)
    policy: Policy = _embodied(learnt, [read_steered(each).base for each in folders[:-1]], embodiment)
    for folder in reversed(folders[:-1]):
        record, there = read_steered(folder), steering_parts(folder)
        policy = policy.with_sampler(record.base.sampler, record.base.steps)
        for settings in record.steering:
            named = {kind.kind: settings[kind.kind] for kind in KINDS if kind.kind in settings}
            settings = {**settings, **{kind: _part_path(folder, there, kind, hash) for kind, hash in named.items()}}
            policy = steer(policy, settings, pinned=True)
    return policy


def _embodied(
    policy: DiffusionPolicy, steered: Sequence[BaseReference], embodiment: str | Callable[[PolicySpec], str]
) -> DiffusionPolicy:
    """A learnt policy as the embodiment that it was steered as, or is to act as."""
    if not isinstance(embodiment, str) and not callable(embodiment):
        raise InputError("embodiment", expected="the name of one, or '' for none", got=repr(embodiment))
    fixed = steered[-1].embodiment if steered else ""
    chosen = embodiment if isinstance(embodiment, str) else ""
    if policy.spec.embodiments and not isinstance(embodiment, str) and not fixed:
        chosen = embodiment(policy.spec)
    if fixed and chosen not in ("", fixed):
        raise InputError("embodiment", expected=f"'{fixed}', which the policy was steered as", got=f"'{chosen}'")
    name = fixed or chosen
    return policy.for_embodiment(name) if name else policy


def save_steered(policy: Steered, path: Path | str, base: Path | str) -> Path:
    """Write what steers as a new checkpoint folder; an existing one is replaced only once the new one is complete.

    Args:
        policy: what steers, in one layer or several, around what was loaded from the base, under the sampler that it is
            to keep.
        path: of the folder to write.
        base: the checkpoint that is steered.

    Raises:
        InputError: no checkpoint at the base or one of another policy, a critic or an actor that comes from none, a
            path that holds the base or one of these or anything but a steered checkpoint, or one that cannot be written
            to.
        TillerError: the disk is full.
    """
    path, folder = Path(path), find(base).resolve()
    own = getattr(policy, "fingerprint", None)
    if own is not None and own.split()[0] != (lowest := fingerprint(chain(folder)[-1])):
        raise InputError(
            f"steered checkpoint '{path}': base '{base}'",
            expected=f"the checkpoint of the policy that is steered, of hash {own}",
            got=f"one of hash {lowest}",
        )
    steering: list[Mapping[str, Any]] = []
    learnt: list[PartReference] = []
    below: Policy = policy
    while isinstance(below, Steered) and not below.pinned:
        steering.append(below.settings)
        learnt += [_reference(kind, getattr(below, kind.kind), path) for kind in KINDS if _has(below, kind)]
        below = below.policy
    held = [("base", each) for each in parts(folder)] + [(each.kind, Path(each.path)) for each in learnt]
    for part, each in held:
        if each.resolve().is_relative_to(path.resolve()):
            raise InputError(
                f"steered checkpoint '{path}'",
                expected="a folder of its own",
                got=f"one that holds its {part} '{each}', which it would replace",
                way_out="Choose another path",
            )
    sampler = below.spec.sampler
    relative = os.path.relpath(folder, path.resolve())
    acting = _embodiment(below)
    reference = BaseReference(str(folder), relative, fingerprint(folder), sampler.name, sampler.steps, acting)
    known = tuple(dict.fromkeys(learnt))
    critics = tuple(each for each in known if isinstance(each, CriticReference))
    actors = tuple(each for each in known if isinstance(each, ActorReference))
    record = to_json(SteeredRecord(FORMAT, VERSION, reference, tuple(steering[::-1]), versions(), critics, actors))
    for name in ("critics", "actors"):
        if not record[name]:
            del record[name]  # as before there were any
    with new_checkpoint(path) as partial:
        write_json(partial / RECORD, record)
    return path


def _has(layer: Steered, kind: type[PartReference]) -> bool:
    """Whether a layer steers by a critic, or an actor; a residual does without a critic where none is given."""
    return getattr(layer, kind.kind, None) is not None


def _reference(kind: type[PartReference], part: object, path: Path) -> PartReference:
    """Where a critic or an actor comes from, for the record of a steered checkpoint at a path."""
    place, hash = getattr(part, "path", None), getattr(part, "hash", None)
    if not isinstance(place, Path) or not isinstance(hash, str):
        article = "an" if kind.kind[0] in "aeiou" else "a"
        raise InputError(
            f"steered checkpoint '{path}'",
            expected=f"{article} {kind.kind} that was loaded by its path, which is kept",
            got=f"a {type(part).__name__}",
            way_out=f"Give the path of its checkpoint as {kind.kind}=",
        )
    return kind(str(place), os.path.relpath(place, path.resolve()), hash)


def _part_path(folder: Path, there: Mapping[str, Path], kind: str, named: Any) -> str:
    """The folder of a critic or an actor that a record names by its hash."""
    if named not in there:
        raise InputError(
            f"checkpoint '{folder / RECORD}': {kind}",
            expected=f"one of {', '.join(there) or 'none'}, which it says the place of",
            got=repr(named),
        )
    return str(there[named])


def describe(path: Path | str, policy: Policy) -> dict[str, Any]:
    """Facts of a loaded policy for the record of what it did: checkpoint, hash, sampler, training, what steers it.

    Args:
        path: of its checkpoint.
        policy: as it was loaded, and steered since.
    """
    folders = chain(path)
    provenance = read_record(folders[-1]).provenance
    steering = [layer.settings for layer in layers(policy)]
    return {
        "checkpoint": str(folders[0]),
        "hash": fingerprint(folders[-1]),
        "sampler": policy.spec.sampler.name,
        "steps": policy.spec.sampler.steps,
        "trained_steps": provenance.step,
        "dataset": provenance.dataset,
        **({"embodiment": acting} if (acting := _embodiment(policy)) else {}),
        **({"steering": steering[::-1]} if steering else {}),
    }


def _embodiment(policy: Policy) -> str:
    """The embodiment that a policy acts as, of several; else empty."""
    steered = layers(policy)
    return str(getattr(steered[-1].policy if steered else policy, "embodiment", ""))


def identity(path: Path | str, policy: Policy) -> str:
    """A hash, 16 hexadecimal digits, of a policy as it acts: that of the learnt policy where it acts by itself under
    its own sampler, else of that with sampler and what steers.

    Args:
        path, policy: as of `describe`.
    """
    about, own = describe(path, policy), read_record(chain(path)[-1]).spec.sampler
    acting = [about["sampler"], about["steps"], about.get("steering", [])]
    if acting == [own.name, own.steps, []] and "embodiment" not in about:
        return str(about["hash"])
    return of_values([about["hash"], *acting, *([about["embodiment"]] if "embodiment" in about else [])])
