"""What the gate adds between a driver's state and the command: three processes, the state at 500 Hz.

    python -m benchmarks.gate_latency [--contract ur5e_jtc] [--hz 500] [--seconds 10] [--rounds 3]

In each round the gate's place is taken first by a node that answers every state with a ready command and does no more:
what transport, rclpy and this machine cost at that moment. Added is what the gate takes more than that. A command
answers the states that were sent between the tick before it and its own, and its latency is that of the oldest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.gate_rig import Rig, contract_at, quantiles_ms

SETTLE_S = 1.0


def answered(sent: np.ndarray, commands: np.ndarray) -> np.ndarray:
    """Latency in ns of each command that answers a state.

    Args:
        sent: (n,) ns, of the states.
        commands: (k, 2): moment of the tick, moment of receipt.
    """
    newest = np.searchsorted(sent, commands[:, 0], side="right")  # states that each tick can know of
    oldest = np.concatenate([[newest[0] - 1], newest[:-1]])  # the first that no command has answered
    news = (newest > oldest) & (newest > 0)
    return np.asarray((commands[:, 1] - sent[np.minimum(oldest, len(sent) - 1)])[news])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contract", default="ur5e_jtc")
    parser.add_argument("--hz", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--executor", default="", help="of the gate: events or single")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, Rig(contract_at(Path(folder), asked.contract, asked.hz, asked.hz)) as rig:
        rig.start("driver")
        commands: dict[str, list[np.ndarray]] = {"echo": [], "gate": []}
        for _ in range(asked.rounds):
            rig.start("echo")
            rig.received = []
            rig.wait(lambda: rig.received, "the echo")
            rig.listen(SETTLE_S)
            commands["echo"].append(rig.listen(asked.seconds))
            rig.end("echo")
            rig.run_gate(asked.executor)
            rig.listen(SETTLE_S)
            commands["gate"].append(rig.listen(asked.seconds))
            rig.end("gate")
        rig.end("driver")
        sent = rig.moments()
    periods = np.diff(sent)
    print(f"{asked.contract}: {len(sent)} states, their period {quantiles_ms(periods)}")
    found = {name: np.concatenate([answered(sent, each) for each in parts]) for name, parts in commands.items()}
    for name, latency in found.items():
        told = sum(len(each) for each in commands[name])
        print(
            f"{name}: {told} commands of {asked.hz * asked.seconds * asked.rounds:.0f}, latency {quantiles_ms(latency)}"
        )
    p50, p99 = (np.quantile(found["gate"], share) - np.quantile(found["echo"], share) for share in (0.5, 0.99))
    print(f"added: p50 {p50 * 1e-6:.3f} ms, p99 {p99 * 1e-6:.3f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
