"""How evenly a gate at 200 Hz commands while both cores are busy, and what it costs, each node its own process.

    python -m benchmarks.gate_period [--contract fr3_crisp] [--minutes 10] [--cpu-seconds 20]

First the gate's processor time with the events executor and rclpy's own, with states at 200 Hz and 1 kHz, beside that
of a node that takes the same messages and does nothing with them; then, with a niced job on each core, the period of
the gate's ticks and commands, beside those of the states that cause them and of a process of the gate's usual priority
that only sleeps and wakes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Sequence

import numpy as np

from benchmarks.gate_rig import Rig, contract_at, quantiles_ms

TICK_HZ, STATES_HZ = 200.0, (200.0, 1000.0)
SETTLE_S, NICE = 2.0, 10


def hearing(contract: Path, seconds: float, executor: str) -> float:
    """Share of a core that it takes to hear the states."""
    with Rig(contract) as rig:
        rig.start("driver")
        rig.start("listener", executor=executor)
        rig.listen(2 * SETTLE_S)
        before = rig.cpu_s("listener")
        rig.listen(seconds)
        return (rig.cpu_s("listener") - before) / seconds


def cost(contract: Path, seconds: float, executor: str) -> tuple[float, float]:
    """Share of a core that the gate uses, and commands a second."""
    with Rig(contract) as rig:
        rig.start("driver")
        rig.run_gate(executor)
        rig.listen(SETTLE_S)
        before = rig.cpu_s("gate")
        commands = rig.listen(seconds)
        used = rig.cpu_s("gate") - before
    return used / seconds, len(commands) / seconds


def period(contract: Path, seconds: float, words: Sequence[str]) -> None:
    """Measure and print the period of the commands beside a niced job on each core."""
    with Rig(contract) as rig:
        for number in range(os.cpu_count() or 1):
            rig.start(f"busy{number}", nice=NICE)
        rig.start("driver")
        rig.start("beat")
        rig.run_gate(words=words)
        rig.listen(SETTLE_S)
        before = rig.cpu_s("gate")
        commands = rig.listen(seconds)
        used = rig.cpu_s("gate") - before
        for name in ("gate", "driver", "beat"):
            rig.end(name)
        states, beats = rig.moments(), rig.moments("beat")
    during = states[(states > commands[0, 0]) & (states < commands[-1, 0])]
    print(f"{seconds / 60:.1f} min beside a niced job on each core, {100 * used / seconds:.1f} % of a core")
    print(f"  a bare loop:          {quantiles_ms(np.diff(beats))}")
    print(f"  states as sent:       {quantiles_ms(np.diff(during))}, {len(during)}")
    print(f"  ticks:                {quantiles_ms(np.diff(commands[:, 0]))}, {len(commands)}")
    print(f"  commands as received: {quantiles_ms(np.diff(commands[:, 1]))}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contract", default="fr3_crisp")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cpu-seconds", type=float, default=20.0)
    parser.add_argument("--priority", type=int, help="of the gate, see its parameter")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        for state_hz in STATES_HZ if asked.cpu_seconds else ():
            for executor in ("events", "single"):
                contract = contract_at(Path(folder), asked.contract, state_hz, TICK_HZ)
                alone = hearing(contract, asked.cpu_seconds, executor)
                share, rate = cost(contract, asked.cpu_seconds, executor)
                print(
                    f"states at {state_hz:g} Hz, {executor} executor: {100 * share:.1f} % of a core, "
                    f"{rate:.0f} commands a second; hearing alone {100 * alone:.1f} %",
                    flush=True,
                )
        if asked.minutes:
            period(
                contract_at(Path(folder), asked.contract, TICK_HZ, TICK_HZ),
                60 * asked.minutes,
                () if asked.priority is None else (f"priority={asked.priority}",),
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
