"""The facts of an episode that was recorded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Mapping

from real.recorder.incoming.stream_watch import StreamSummary
from real.recorder.recording import RECORDING
from robot.contract.contract import Contract
from robot.contract.loading import hashes


@dataclass(frozen=True)
class About:
    """Facts of all takes of a session.

    Args:
        instruction: what is done; empty leaves it to the task.
        operator: who demonstrates.
        source: where the episodes come from.
        policy: that runs meanwhile.
    """

    instruction: str = ""
    operator: str = ""
    source: str = "teleoperation"
    policy: str = ""


@dataclass(frozen=True)
class Beginning:
    """Facts of a take that are settled when it begins, whatever comes later.

    Args:
        seed: of the episode.
        instruction: what was to be done.
        started_ns: since 1970, whatever time the graph has.
    """

    seed: int
    instruction: str
    started_ns: int


def facts_of(
    contract: Contract,
    streams: Mapping[str, StreamSummary],
    about: About,
    beginning: Beginning,
    *,
    success: bool,
    verdict: str,
) -> dict[str, Any]:
    """Name -> value of `real.recorder.recording.FACTS`.

    Args:
        contract: of the robot; its hashes are recorded with each episode, since a store outlives a session.
        streams: over the take: rates, losses and latencies.
        about: of the session.
        beginning: of the take.
        success, verdict: as in `data.store.names`.
    """
    details = {
        "contract": hashes(contract),
        "streams": {name: {**asdict(each), "rate_hz": round(each.rate_hz, 2)} for name, each in streams.items()},
    }
    return {
        "success": success,
        "verdict": verdict,
        "operator": about.operator,
        "instruction": beginning.instruction,
        "seed": beginning.seed,
        "source": about.source,
        "strategy": "{}",
        "started_ns": beginning.started_ns,
        "drops": sum(each.drops for each in streams.values()),
        "policy": about.policy,
        RECORDING.name: json.dumps(details, sort_keys=True),
    }
