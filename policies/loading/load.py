"""Load a checkpoint of any kind as a policy, and save what steers as one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from policies.loading.folder import chain, critics, fingerprint, parts, unchanged_chain
from policies.model.checkpoint import load_learnt, read_record
from policies.model.checkpoint_folder import RECORD, find
from policies.model.files import new_checkpoint, write_json
from policies.model.policy import DiffusionPolicy
from policies.model.provenance import versions
from policies.steering.critic_source import CheckpointCritic
from policies.steering.guidance import ValueGuided
from policies.steering.record import FORMAT, VERSION, BaseReference, CriticReference, SteeredRecord, read_steered
from policies.steering.registry import steer
from policies.steering.steered import Steered, layers
from policies.steering.value import ValueSteered
from robot.description import Policy, PolicySpec, to_json
from robot.description.record import fingerprint as of_values
from robot.errors import InputError

CRITIC = "critic"
"""The option of what steers by a critic."""


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
        record, scorers = read_steered(folder), critics(folder)
        policy = policy.with_sampler(record.base.sampler, record.base.steps)
        for settings in record.steering:
            if CRITIC in settings:
                settings = {**settings, CRITIC: _critic_path(folder, scorers, settings[CRITIC])}
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
        InputError: no checkpoint at the base or one of another policy, a critic that comes from none, a path that holds
            the base or a critic or anything but a steered checkpoint, or one that cannot be written to.
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
    steering, scorers = [], []
    below: Policy = policy
    while isinstance(below, Steered) and not below.pinned:
        steering.append(below.settings)
        scorers += [_reference(below.critic, path)] if isinstance(below, (ValueSteered, ValueGuided)) else []
        below = below.policy
    held = [("base", each) for each in parts(folder)] + [("critic", Path(each.path)) for each in scorers]
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
    known = tuple(dict.fromkeys(scorers))
    record = to_json(SteeredRecord(FORMAT, VERSION, reference, tuple(steering[::-1]), versions(), known))
    if not known:
        del record["critics"]  # as before there were any
    with new_checkpoint(path) as partial:
        write_json(partial / RECORD, record)
    return path


def _reference(critic: object, path: Path) -> CriticReference:
    """Where a critic comes from, for the record of a steered checkpoint at a path."""
    if not isinstance(critic, CheckpointCritic) or critic.path is None or critic.hash is None:
        raise InputError(
            f"steered checkpoint '{path}'",
            expected="a critic that was loaded by its path, which is kept",
            got=f"a {type(critic).__name__}",
            way_out="Give the path of the critic's checkpoint as critic=",
        )
    return CriticReference(str(critic.path), os.path.relpath(critic.path, path.resolve()), critic.hash)


def _critic_path(folder: Path, scorers: Mapping[str, Path], named: Any) -> str:
    """The folder of a critic that a record names by its hash."""
    if named not in scorers:
        raise InputError(
            f"checkpoint '{folder / RECORD}': critic",
            expected=f"one of {', '.join(scorers) or 'none'}, which it says the place of",
            got=repr(named),
        )
    return str(scorers[named])


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
