"""What a policy node is to run: a checkpoint, or a recorded episode, checked before anything slow begins."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from policies.loading.folder import require_whole
from robot.contract.contract import Contract
from robot.contract.loading import semantic_hash
from robot.description import Policy, PolicySpec
from robot.errors import InputError


def require_source(checkpoint: str, contract: Contract) -> None:
    """Refuse what a policy node could not run. Torch is not imported.

    Args:
        checkpoint: a folder of a policy; or one of a dataset, with #EPISODE for another than the first.
        contract: of the robot.

    Raises:
        InputError: nothing of the kind is there, it is not whole, or it was made for another robot.
    """
    path, episode = split(checkpoint)
    if episode is not None:
        _require_episode(path, episode)
        return
    provenance = require_whole(path).get("provenance") or {}
    made_for = provenance.get("semantic_hash") if isinstance(provenance, dict) else None
    if made_for is not None and made_for != semantic_hash(contract):
        raise InputError(
            f"checkpoint '{path}'",
            expected=f"one made for contract '{contract.name}', {semantic_hash(contract)}",
            got=made_for,
            way_out="Deploy it on the robot that it was trained for",
        )


def split(checkpoint: str) -> tuple[Path, int | None]:
    """The path, and the number of the episode where it is a dataset's.

    Raises:
        InputError: what follows '#' is no number.
    """
    path, _, episode = checkpoint.partition("#")
    if not episode:
        return Path(path), 0 if (Path(path) / "zarr.json").exists() else None
    try:
        return Path(path), int(episode)
    except ValueError:
        raise InputError(
            f"checkpoint '{checkpoint}'",
            expected="the number of an episode after '#'",
            got=repr(episode),
            way_out=f"{path}#0 replays the first",
        ) from None


def _require_episode(path: Path, episode: int) -> None:
    from data.store.dataset import Dataset

    dataset = Dataset.open(path)
    if dataset.schema is None:
        raise InputError(
            f"recording {path}",
            expected="a dataset that says what its columns are",
            got="none",
            way_out="Convert it with tiller data convert",
        )
    dataset.episode_slice(episode)


def load_source(
    checkpoint: str,
    device: str,
    sampler: str | None,
    steps: int | None,
    embodiment: str | Callable[[PolicySpec], str] = "",
) -> Policy:
    """A policy, or a recorded episode in its place.

    Args:
        checkpoint: folder of a policy; or of a dataset, with `#EPISODE`.
        device, sampler, steps: of a policy; None is its own.
        embodiment: that it acts as, of a policy of several, or what chooses it.

    Raises:
        InputError: it cannot be loaded, or acts as no embodiment of the contract.
    """
    path, episode = split(checkpoint)
    if episode is not None:
        from real.policy.recording import RecordedEpisode

        return RecordedEpisode(path, episode)
    import torch

    from policies.loading.load import load

    torch.set_num_threads(1)
    return load(path, device=device, embodiment=embodiment).with_sampler(sampler, steps)


def embodiment_on(contract: str, given: str, task: str, spec: PolicySpec) -> str:
    """The name of the embodiment that a policy of several acts as on a robot.

    Args:
        contract: semantic hash of the robot's contract.
        given: the name, or empty.
        task: of a twin, whose name an embodiment may have, or empty.
        spec: of the policy.

    Raises:
        InputError: several were trained for this contract and none is named, or none was trained for it.
    """
    names = [each.name for each in spec.embodiments]
    fitting = [each.name for each in spec.embodiments if each.semantic_hash in (contract, None)]
    if given or task in names:
        return given or task
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        "embodiment",
        expected=f"one of {', '.join(fitting or names)}",
        got="none, and several were trained for this contract" if fitting else "none, and none fits this contract",
        way_out="-p embodiment:=NAME, or embodiment=NAME beside checkpoint=",
    )
