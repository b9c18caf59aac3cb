"""What a tick of the gate's core costs, beside a chain of empty Python calls: `python benchmarks/gate_tick.py`.

The ratio is what to compare between machines and moments: both are slowed down alike by whatever else runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable

import numpy as np

from robot.compiled import COMPILED
from robot.contract.loading import component_names, describe, load_contract
from robot.safety.gate import ChunkSample, DriverSample, GateInputs, GateSettings, Now, Signal, StateSample
from robot.safety.gate.core import Gate
from robot.safety.gate.flight_record import FlightRecorder, write_record
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.state import GateState

CHAIN = 1000
CONTRACTS = ("panda_twin", "panda_twin_crisp", "panda_inspire_twin", "ur5e_jtc")


def chain() -> None:
    """Python calls that do nothing."""

    def nothing() -> None:
        return None

    for _ in range(CHAIN):
        nothing()


def ticks(settings: GateSettings, names: tuple[str, ...], rest: dict[str, float], count: int) -> list[float]:
    """Seconds of each tick of a robot that follows a slow path, with new state in every tick and 5 chunks a second."""
    gate, state, spec = Gate(settings), GateState(), settings.spec
    tick_ns = round(settings.tick_s * 1e9)
    recorder = FlightRecorder(settings)
    taken = []
    home = np.array([rest.get(name, 0.02) for name in names])
    for field in spec.fields:
        where = spec.slices[field.name]
        if field.is_rotation:
            home[where] = [1, 0, 0, 0, -1, 0]
        elif field.kind == "pose":
            home[where] = [0.45, 0.0, 0.3]
    for number in range(count):
        now = Now((number + 1) * tick_ns, (number + 1) * tick_ns)
        told = state.command if len(state.command) else home
        values = {name: np.array([rest.get(name, 0.02)]) for each in settings.streams.values() for name in each.names}
        values |= {name: told[[place]] for place, name in enumerate(names)}
        values |= {field.name: told[spec.slices[field.name]] for field in spec.fields if field.name in values}
        states = {
            name: StateSample({key: values[key] for key in each.names}, now.ros_ns, now.monotonic_ns)
            for name, each in settings.streams.items()
        }
        chunks: tuple[ChunkSample, ...] = ()
        if number % 40 == 5:
            path = np.repeat(told[None], 16, axis=0)
            path[:, 0] += np.sin(np.arange(16) / 5) * 0.01
            chunks = (ChunkSample(spec.component_names, path, now.ros_ns, settings.period_s, number, now.monotonic_ns),)
        signal = Signal(now.ros_ns, now.monotonic_ns)
        inputs = GateInputs(
            states,
            chunks,
            alive=signal,
            enable_held=signal,
            driver=DriverSample("running", now.ros_ns, now.monotonic_ns),
            events=("activate", "enable") if number == 0 else (),
        )
        start = time.perf_counter()
        before, (state, output) = state, gate.step(state, inputs, now)
        recorder.add(before, inputs, now, output)
        taken.append(time.perf_counter() - start)
    assert state.mode.value == "run", output.reasons
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        file = write_record(Path(folder) / "a.flight", settings, recorder.ticks())
        taken_s, size = time.perf_counter() - start, file.stat().st_size
    print(f"    writing {len(recorder)} ticks: {taken_s:.2f} s, {size / 1e6:.1f} MB")
    return taken


def middle(run: Callable[[], None], times: int) -> float:
    """Median seconds of a call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=4000)
    count = parser.parse_args().ticks
    print(f"numba: {'yes' if COMPILED else 'no'}")
    for name in CONTRACTS:
        contract = load_contract(name)
        description = describe(contract)
        print(name)
        settings = gate_settings(contract, description)
        names = component_names(description, settings.spec)
        empty = middle(chain, 50) / CHAIN
        taken = sorted(ticks(settings, names, dict(description.spec.rest), count)[100:])
        empty = min(empty, middle(chain, 50) / CHAIN)
        p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
        print(
            f"    tick p50 {p50 * 1e6:.0f} us, p99 {p99 * 1e6:.0f} us; an empty call {empty * 1e9:.0f} ns: "
            f"p50 is {p50 / empty:.0f} of them"
        )


if __name__ == "__main__":
    main()
