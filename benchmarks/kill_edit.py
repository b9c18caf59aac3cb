"""Kill -9 what makes one dataset of another at random instants: are the sources untouched, does the command complete?

    python -m benchmarks.kill_edit [--kills 200] [--seed 0] [--folder DIR] [--edits merge recode apply convert export]

Each edit runs as the command line does it, but commits more often. `merge`, `recode` and `apply` go on where they were
killed: each is killed again and again until it has completed, and every episode that was committed to the unfinished
store must be that of an edit which was never killed. `convert` (of a zarr 2) and `export` (to LeRobot) begin anew: of a
killed one nothing is to be seen under the target's name, unless it is complete, and the next one clears its work away.
After each kill the files of the sources must be what they were. What completes must have the content of what was never
killed. With --folder the results are kept there, and the same call goes on with them; without the folder it begins
anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.kill_append import episode, schema
from data.edit.copying import copy
from data.edit.copying.origin import Origin
from data.edit.copying.verification import content_digest
from data.edit.marks import Marks, blank_mark, write_marks
from data.formats.export.run import ZARR2, export
from data.store.dataset import Dataset
from data.store.writing.durable import ROOT_FILE
from data.store.writing.lock import LOCK_NAME
from data.store.writing.resuming import unfinished

EPISODES = 15  # of each source
COMMIT_BYTES = 300_000
COMMANDS = {
    "merge": ("merge", "a", "b", "OUT"),
    "recode": ("recode", "a", "OUT", "encodings.image=png", "encodings.encoded=jpeg"),
    "apply": ("apply", "a.marks.json", "OUT"),
    "convert": ("convert", "foreign", "OUT"),
    "export": ("export", "a", "OUT", "format=lerobot"),
}
SOURCES = ("a", "b", "a.marks.json", "foreign")
BEGIN_ANEW = ("convert", "export")


@dataclass(frozen=True)
class Kill:
    """What one kill left.

    Args:
        edit: that was killed.
        wait_s: after which it was.
        committed: episodes of the unfinished store; -1 where there was none.
        touched: files of the sources that are not what they were.
        changed: committed episodes that differ from those of an edit that was never killed.
        completed: the edit was through when the kill came, and its content is the right one.
        wrong: it was through, and its content is another one.
    """

    edit: str
    wait_s: float
    committed: int
    touched: int
    changed: int
    completed: bool
    wrong: bool


def make_sources(folder: Path) -> None:
    """The stores that are edited, marks of one of them, and a foreign set."""
    for name, numbers in (("a", range(EPISODES)), ("b", range(EPISODES, 2 * EPISODES))):
        with Dataset.create(folder / name, schema()) as dataset:
            dataset.extend([episode(number) for number in numbers])
    origin, marks = Origin(folder / "a"), Marks("a")
    for number in range(0, EPISODES, 2):
        said = {"keep": False} if number % 4 == 0 else {"labels": ("slow",), "instruction": f"take {number} again"}
        marks = marks.with_mark(number, replace(blank_mark(origin, number), **said))
    write_marks(folder / "a.marks.json", marks)
    export(folder / "a", folder / "foreign", format=ZARR2)


def start(folder: Path, edit: str, target: str) -> subprocess.Popen[bytes]:
    paths = {**{name: folder / name for name in SOURCES}, "OUT": folder / target}
    words = [str(paths.get(word, word)) for word in COMMANDS[edit]]
    command = [sys.executable, "-m", "benchmarks.kill_edit", "--edit", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def contents(path: Path) -> list[str]:
    """Hash of each committed episode of a store, as it is stored; of what is no store that of each file."""
    if not (path / ROOT_FILE).is_file():
        return [f"{name} {digest}" for name, digest in files(path, path).items()]
    origin = Origin(path)
    return [content_digest(origin, index) for index in range(len(origin))]


def files(folder: Path, *paths: Path) -> dict[str, str]:
    """Hash of every file at some paths, by its name within a folder."""
    listed = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {
        str(file.relative_to(folder)): hashlib.blake2b(file.read_bytes()).hexdigest()
        for file in listed
        if file.is_file()
    }


def wait_until_it_writes(folder: Path, edit: str, target: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for a command to write, or to end."""
    lock = unfinished(folder / target) / LOCK_NAME
    while process.poll() is None and not (folder / target).exists():
        if edit in BEGIN_ANEW:
            begun = any(folder.glob(f".{target}.{process.pid}.*"))
        else:  # a lock that is there may be that of the one killed before
            begun = lock.is_file() and f'"pid": {process.pid},' in lock.read_text()
        if begun:
            return
        time.sleep(0.002)


def kill_once(folder: Path, edit: str, wait_s: float, before: dict[str, str], right: list[str]) -> Kill:
    """Let an edit go on for so long after it has begun to write, kill it, and look."""
    target, work = folder / "out", unfinished(folder / "out")
    process = start(folder, edit, "out")
    wait_until_it_writes(folder, edit, "out", process)
    time.sleep(wait_s)
    process.kill()
    process.wait()
    after = files(folder, *(folder / name for name in SOURCES))
    touched = sum(after.get(name) != digest for name, digest in before.items()) + len(set(after) - set(before))
    if target.exists():
        wrong = contents(target) != right
        shutil.rmtree(target)
        shutil.rmtree(work, ignore_errors=True)
        return Kill(edit, wait_s, -1, touched, 0, not wrong, wrong)
    made = work / "made"
    committed = contents(made) if (made / "zarr.json").is_file() else None
    changed = sum(ours != theirs for ours, theirs in zip(committed or (), right))
    return Kill(edit, wait_s, -1 if committed is None else len(committed), touched, changed, False, False)


def main() -> int:
    if sys.argv[1:2] == ["--edit"]:
        from tiller.cli import main as tiller

        copy.COMMIT_BYTES = COMMIT_BYTES
        return tiller(["data", *sys.argv[2:]])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--kills", type=int, default=200, help="of each edit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where results are kept; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        kills = _run(folder, options.edits, options.kills, options.seed)
    for edit in options.edits:
        own = [kill for kill in kills if kill.edit == edit]
        committed = sum(kill.committed > 0 for kill in own)
        print(f"{edit}: {len(own)} kills" + ("" if edit in BEGIN_ANEW else f", {committed} with episodes committed"))
        print(f"  files of the sources that changed  {sum(kill.touched for kill in own)}")
        print(f"  committed episodes that changed    {sum(kill.changed for kill in own)}")
        print(
            f"  edits that completed right, wrong  {sum(kill.completed for kill in own)}, {sum(k.wrong for k in own)}"
        )
    return int(any(kill.touched or kill.changed or kill.wrong for kill in kills))


def _run(folder: Path, edits: Sequence[str], count: int, seed: int) -> list[Kill]:
    log = folder / "kills.jsonl"
    kills = [Kill(**json.loads(line)) for line in log.read_text().splitlines()] if log.is_file() else []
    if not (folder / "sources_made").is_file():
        for name in SOURCES:
            _remove(folder / name)
        make_sources(folder)
        (folder / "sources_made").touch()
    before = files(folder, *(folder / name for name in SOURCES))
    for edit in edits:
        for leftover in ("never_killed", "out", *(path.name for path in folder.glob(".out.*"))):
            _remove(folder / leftover)
        process = start(folder, edit, "never_killed")
        wait_until_it_writes(folder, edit, "never_killed", process)
        begun = time.monotonic()
        if process.wait():
            raise RuntimeError(f"{edit} failed without any kill")
        longest = time.monotonic() - begun
        right = contents(folder / "never_killed")
        done = sum(kill.edit == edit for kill in kills)
        for number in range(done, count):
            # Short waits fall in the beginning, and again and again reach further; the longest may let it end.
            wait_s = random.Random(f"{seed} {edit} {number}").uniform(0, longest)
            kills.append(kill_once(folder, edit, wait_s, before, right))
            with log.open("a") as file:
                file.write(json.dumps(asdict(kills[-1])) + "\n")
        # The last one was killed, too: the same command must still complete, and leave nothing else.
        if any(folder.glob(".out.*")):
            if start(folder, edit, "out").wait() or contents(folder / "out") != right or any(folder.glob(".out.*")):
                raise RuntimeError(f"{edit} does not complete after its last kill")
            _remove(folder / "out")
    return kills


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
