"""The facts of an episode that was recorded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Mapping

from real.recorder.recording import RECORDING
from real.recorder.stream_watch import StreamSummary
from robot.contract.contract import Contract
from robot.contract.loading import hashes


def facts_of(
    contract: Contract,
    streams: Mapping[str, StreamSummary],
    *,
    success: bool,
    verdict: str,
    operator: str,
    instruction: str,
    seed: int,
    source: str,
    started_ns: int,
    policy: str,
) -> dict[str, Any]:
    """Name -> value of `real.recorder.recording.FACTS`.

    Args:
        contract: of the robot; its hashes are recorded with each episode, since a store outlives a session.
        streams: over the take: rates, losses and latencies.
        success, verdict, operator, instruction, seed, source, started_ns, policy: as in `data.store.names`.
    """
    details = {
        "contract": hashes(contract),
        "streams": {name: {**asdict(each), "rate_hz": round(each.rate_hz, 2)} for name, each in streams.items()},
    }
    return {
        "success": success,
        "verdict": verdict,
        "operator": operator,
        "instruction": instruction,
        "seed": seed,
        "source": source,
        "strategy": "{}",
        "started_ns": started_ns,
        "drops": sum(each.drops for each in streams.values()),
        "policy": policy,
        RECORDING.name: json.dumps(details, sort_keys=True),
    }
