"""How soon a gate holds a robot, and how soon a policy sends its first chunk, from the start of their processes.

    python -m benchmarks.gate_start [CHECKPOINT] [--contract panda_twin] [--task twin/lift] [--rounds 5]

The driver is up before, as a robot's is. The gate holds when its first command reaches the driver's side. With a
checkpoint, gate and policy start together in front of a twin, and the first chunk is what the gate hears. The first
round also pays for files that the system has not read yet; with `--compile` no machine code is kept between rounds, as
after an installation.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.gate_rig import Rig, contract_at
from robot.contract.loading import contract_folder

SILENCE_S = 0.5


def holding(contract: Path, rounds: int, compile_anew: bool) -> list[float]:
    """Seconds from the gate's start to its first command."""
    taken = []
    with Rig(contract) as rig:
        rig.start("driver")
        rig.wait(rig.driven, "the driver")
        for number in range(rounds):
            if compile_anew:
                os.environ["XDG_CACHE_HOME"] = str(rig.folder / f"cache{number}")
            taken.append(_held(rig))
            rig.end("gate")
    return taken


def _held(rig: Rig) -> float:
    """Start the gate; seconds to its first command."""
    rig.listen(SILENCE_S)  # what the gate before has said is not this one's
    started_ns = time.time_ns()
    rig.start("gate")
    own: list[int] = []

    def came() -> bool:
        own[:] = [received for ticked, received in rig.received if ticked > started_ns]
        return bool(own)

    rig.wait(came, "the first command", 120.0)
    return (own[0] - started_ns) * 1e-9


def first_chunk(contract: str, checkpoint: str, task: str, rounds: int) -> list[tuple[float, float]]:
    """Seconds from the start of gate and policy to the gate's first command and to the policy's first chunk."""
    taken = []
    with Rig(contract_folder() / f"{contract}.yaml") as rig:
        chunks: list[float] = []
        rig.subscribe_chunks(lambda message: chunks.append(time.monotonic()))
        rig.start("twin", words=(f"task={task}", "images=false", "seed=100000"))
        rig.wait(lambda: "ready after" in rig.log("twin"), "the twin", 120.0)
        for _ in range(rounds):
            rig.listen(SILENCE_S)
            chunks.clear()
            started = rig.start("policy", words=(f"checkpoint={checkpoint}",)) * 1e-9
            held = _held(rig)
            rig.wait(lambda: chunks, "the first chunk", 120.0)
            taken.append((held, chunks[0] - started))
            rig.end("gate")
            rig.end("policy")
    return taken


def line(what: str, values: list[float]) -> str:
    ordered: Any = sorted(values)
    return f"{what}: median {ordered[len(ordered) // 2]:.2f} s, longest {ordered[-1]:.2f} s, first {values[0]:.2f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("--contract", default="panda_twin")
    parser.add_argument("--task", default="twin/lift")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="keep no machine code between rounds")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        for base in ("fr3_crisp", asked.contract):
            taken = holding(contract_at(Path(folder), base, 200.0, 200.0), asked.rounds, asked.compile)
            print(line(f"{base}: gate holding", taken), flush=True)
    if asked.checkpoint:
        both = first_chunk(asked.contract, asked.checkpoint, asked.task, asked.rounds)
        print(line(f"{asked.task} beside the policy: gate holding", [held for held, _ in both]))
        print(line("first chunk", [chunk for _, chunk in both]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
