"""Command lines, run in this process or in one of their own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tiller.cli import main

# Networks and budgets that train in a second: journeys show that parts fit, not that policies are good.
TINY = (
    "policy.network.width=32",
    "policy.network.depth=1",
    "training.steps=20",
    "training.warmup=2",
    "training.batch_size=32",
    "training.validation.every=10",
    "training.log_every=10",
)


@dataclass(frozen=True)
class Outcome:
    """What a command line returned and wrote."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The one message of a command that failed."""
        assert "Traceback" not in self.err, self.err
        assert self.err.startswith("tiller "), self.err
        return self.err


class Command:
    """`tiller` in this process; `capsys` is pytest's."""

    def __init__(self, capsys) -> None:  # type: ignore[no-untyped-def]
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> Outcome:
        self._capsys.readouterr()
        code = main([str(word) for word in words])
        written = self._capsys.readouterr()
        return Outcome(code, written.out, written.err)

    def succeeds(self, *words: str | Path) -> str:
        """Run a command that has to work; returns what it printed."""
        outcome = self(*words)
        assert outcome.code == 0, outcome
        return outcome.out


def in_a_process(*words: str | Path, cwd: Path, **environment: str) -> Outcome:
    """`python -m tiller` in a process of its own, as a person would start it."""
    import os

    done = subprocess.run(
        [sys.executable, "-m", "tiller", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=240,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, str]:
    """Relative path -> hash of every file under a folder."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
