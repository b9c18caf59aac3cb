"""What a policy node is to run: a checkpoint, or a recorded episode, checked before anything slow begins."""

from __future__ import annotations

from pathlib import Path

from policies.loading.folder import require_whole
from robot.contract.contract import Contract
from robot.contract.loading import semantic_hash
from robot.description import Policy
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


def load_source(checkpoint: str, device: str, sampler: str | None, steps: int | None) -> Policy:
    """A policy, or a recorded episode in its place.

    Args:
        checkpoint: folder of a policy; or of a dataset, with `#EPISODE`.
        device, sampler, steps: of a policy; None is its own.
    """
    path, episode = split(checkpoint)
    if episode is not None:
        from real.policy.recording import RecordedEpisode

        return RecordedEpisode(path, episode)
    import torch

    from policies.loading.load import load

    torch.set_num_threads(1)
    return load(path, device=device).with_sampler(sampler, steps)
