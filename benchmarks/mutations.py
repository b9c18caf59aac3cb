"""Break the account of energy, or what steering learns towards, on purpose, in ways that are seen in practice, and see
which test notices.

    python -m benchmarks.mutations             # all of benchmarks/mutations/*.yaml
    python -m benchmarks.mutations M2 M7       # these alone
    python -m benchmarks.mutations --list

Each mutation is a change of the text of a few lines, made in a copy of the rooms. First the tests that are to notice
run on the copy as it is, and must pass; then each change is made, its tests run until the first that fails, and the
change is taken back. A mutation is killed where a test's own claim fails; one that only crashes is not. Exit 1 when a
mutation survives, crashes, or its text is not found exactly once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Sequence

import yaml

from robot.errors import InputError, nearest

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "mutations"
COPIED = ("robot", "data", "policies", "sim", "tiller", "configs", "tests", "pyproject.toml")
LONGEST_S = 900
CLAIMS = ("assert", "AssertionError", "Failed: DID NOT RAISE", "ExceptionGroup: Hypothesis")  # how a test puts it


@dataclass(frozen=True)
class Change:
    """A piece of text and what stands in its place.

    Args:
        file: from the rooms' folder.
        old: lines, whole or not, which occur once.
        new: in their place.
    """

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A way to get something wrong.

    Args:
        name: M (energy) or S (steering) and a number, a letter behind it where there are several.
        says: what is wrong with it.
        changes: all made together.
        tests: paths, or pytest's node ids, that are to notice.
    """

    name: str
    says: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


def read(file: Path) -> Mutation:
    """A mutation from its file.

    Raises:
        InputError: the file lacks something.
    """
    told: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        changes = tuple(Change(**change) for change in told["changes"])
        return Mutation(file.stem, told["says"], changes, tuple(told["tests"]))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"mutation {file}", expected="says, tests, and changes of file, old and new", got=str(error)
        ) from error


def _order(mutation: Mutation) -> tuple[int, str]:
    digits = "".join(letter for letter in mutation.name if letter.isdigit())
    return int(digits or 0), mutation.name


def chosen(names: Sequence[str]) -> list[Mutation]:
    """The mutations of these names, M3 meaning M3, M3b and so on; all without names."""
    known = sorted((read(file) for file in TABLE.glob("[MS]*.yaml")), key=_order)
    found = [each for each in known if not names or each.name in names or each.name.rstrip("abc") in names]
    for name in names:
        if not any(name in (each.name, each.name.rstrip("abc")) for each in known):
            raise InputError(
                "mutation",
                expected="a name of the table",
                got=f"'{name}'",
                way_out=nearest(name, [each.name for each in known]),
            )
    return found


def copy_rooms(folder: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def apply(mutation: Mutation, folder: Path) -> dict[Path, str]:
    """Change the copy.

    Returns:
        The texts as they were, by file.

    Raises:
        InputError: a piece of text is not there exactly once; nothing is changed.
    """
    texts: dict[Path, str] = {}
    before: dict[Path, str] = {}
    for change in mutation.changes:
        file = folder / change.file
        if not file.is_file():
            raise InputError(f"{mutation.name}: {change.file}", expected="a file", got="none")
        text = texts.get(file) or before.setdefault(file, file.read_text(encoding="utf-8"))
        if text.count(change.old) != 1:
            raise InputError(
                f"{mutation.name}: {change.file}",
                expected="its text exactly once",
                got=f"{text.count(change.old)} times: {change.old.strip().splitlines()[0]!r}",
                way_out="The source has moved on: write the mutation for it anew",
            )
        texts[file] = text.replace(change.old, change.new)
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return before


def run_tests(
    tests: Sequence[str], folder: Path, *, to_the_end: bool = False
) -> tuple[int, list[tuple[str, str]], str]:
    """Run tests in the copy.

    Returns:
        pytest's exit status, the tests that failed and why, and what it printed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Plain Python: nothing is compiled anew for every mutation, and both paths of a filter run as they are written.
    environment |= {
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "400",
    }
    # A test that is known to fail notices nothing.
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "timeout",
        "-p",
        "hypothesispytest",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        "-m",
        "not xfail",
        *([] if to_the_end else ["-x"]),
        *tests,
    ]
    try:
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return 124, [], f"not done after {LONGEST_S} s"
    printed = done.stdout + done.stderr
    lines = [line.removeprefix("FAILED ") for line in printed.splitlines() if line.startswith("FAILED ")]
    return done.returncode, [(test, reason) for test, _, reason in (line.partition(" - ") for line in lines)], printed


def _uses_the_copy(folder: Path) -> bool:
    """Whether it is the copy's rooms that the tests import, and not those of an installed tiller."""
    code = "import robot, sim; print(robot.__file__); print(sim.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return all(Path(line).resolve().is_relative_to(folder.resolve()) for line in told)


def _short(test: str) -> str:
    """A test without its folder."""
    return test.rpartition("/")[2].replace(".py::", ": ")


def kill(mutation: Mutation, folder: Path) -> tuple[bool, str]:
    """Whether a mutation was noticed, and by which test, or why not."""
    try:
        before = apply(mutation, folder)
    except InputError as error:
        return False, f"DOES NOT APPLY: {error}"
    try:
        status, failed, printed = run_tests(mutation.tests, folder)
    finally:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")
    if status == 1 and failed:
        test, reason = failed[0]
        return reason.startswith(CLAIMS), f"{_short(test)}: {reason[:120]}"
    if status == 0:
        return False, "SURVIVED"
    return False, f"BROKE MORE THAN A TEST (exit {status}): {(printed.strip().splitlines() or ['nothing said'])[-1]}"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="M1")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    asked = parser.parse_args(words)
    try:
        mutations = chosen(asked.names)
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if asked.list:
        for mutation in mutations:
            print(f"{mutation.name:<4} {mutation.says}\n     {', '.join(mutation.tests)}")
        return 0
    with TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name)
        copy_rooms(folder)
        if not _uses_the_copy(folder):
            print("the copy's rooms are not those that are imported: nothing can be said", file=sys.stderr)
            return 1
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        began = time.monotonic()
        status, _, printed = run_tests(tests, folder, to_the_end=True)
        if status:
            print(
                f"without any mutation the tests fail, so that a kill would mean nothing:\n{printed[-2000:]}",
                file=sys.stderr,
            )
            return 1
        print(f"unchanged: {len(tests)} sets of tests pass ({time.monotonic() - began:.0f} s)\n")
        killed = 0
        for mutation in mutations:
            began = time.monotonic()
            dead, by = kill(mutation, folder)
            killed += dead
            files = sorted({f"{change.file}" for change in mutation.changes})
            print(f"{mutation.name:<4} {mutation.says}\n     changed  {', '.join(files)}")
            print("\n".join(f"     ran      {_short(test)}" for test in mutation.tests))
            took = f"{time.monotonic() - began:.0f} s"
            print(f"     {'killed by' if dead else 'NOT KILLED:'} {by} ({took})\n", flush=True)
    print(f"{killed} of {len(mutations)} mutations killed")
    return 0 if killed == len(mutations) else 1


if __name__ == "__main__":
    sys.exit(main())
