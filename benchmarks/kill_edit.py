"""Kill -9 a merge and a recode at random instants: are the sources untouched, and does the same command complete?

    python -m benchmarks.kill_edit [--kills 200] [--seed 0] [--folder DIR]

Each edit runs as the command line does it, but commits more often. It is killed at a random instant, again and again,
until it has completed. After each kill the files of the sources must be what they were, and every episode that was
committed to the unfinished store must be that of an edit which was never killed. What completes must have that one's
content. With --folder the results are kept there, and the same call goes on with them; without the folder it begins
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
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.kill_append import episode, schema
from data.edit.copying import copy
from data.edit.copying.origin import Origin
from data.edit.copying.verification import content_digest
from data.store.dataset import Dataset
from data.store.writing.resuming import unfinished

EPISODES = 15  # of each source
COMMIT_BYTES = 300_000
COMMANDS = {
    "merge": ("merge", "a", "b", "OUT"),
    "recode": ("recode", "a", "OUT", "encodings.image=png", "encodings.encoded=jpeg"),
}


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
    """The stores that are edited."""
    for name, numbers in (("a", range(EPISODES)), ("b", range(EPISODES, 2 * EPISODES))):
        with Dataset.create(folder / name, schema()) as dataset:
            dataset.extend([episode(number) for number in numbers])


def start(folder: Path, edit: str, target: str) -> subprocess.Popen[bytes]:
    paths = {"a": folder / "a", "b": folder / "b", "OUT": folder / target}
    words = [str(paths.get(word, word)) for word in COMMANDS[edit]]
    command = [sys.executable, "-m", "benchmarks.kill_edit", "--edit", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def contents(path: Path) -> list[str]:
    """Hash of each committed episode of a store, as it is stored."""
    origin = Origin(path)
    return [content_digest(origin, index) for index in range(len(origin))]


def files(folder: Path) -> dict[str, str]:
    """Hash of every file of the sources."""
    return {
        str(file): hashlib.blake2b(file.read_bytes()).hexdigest()
        for name in "ab"
        for file in sorted((folder / name).rglob("*"))
        if file.is_file()
    }


def kill_once(folder: Path, edit: str, wait_s: float, before: dict[str, str], right: list[str]) -> Kill:
    """Let an edit go on for so long after it has begun to write, kill it, and look."""
    target, work = folder / "out", unfinished(folder / "out")
    process = start(folder, edit, "out")
    resumed = work.exists()
    while process.poll() is None and not (work.exists() or target.exists()):
        time.sleep(0.002)
    if resumed:  # the interpreter has yet to start
        while process.poll() is None and not (work / "writer.lock").exists():
            time.sleep(0.002)
    time.sleep(wait_s)
    process.kill()
    process.wait()
    after = files(folder)
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
    parser.add_argument("--kills", type=int, default=200, help="of each edit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where results are kept; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        kills = _run(folder, options.kills, options.seed)
    for edit in COMMANDS:
        own = [kill for kill in kills if kill.edit == edit]
        print(f"{edit}: {len(own)} kills, {sum(kill.committed > 0 for kill in own)} of them with episodes committed")
        print(f"  files of the sources that changed  {sum(kill.touched for kill in own)}")
        print(f"  committed episodes that changed    {sum(kill.changed for kill in own)}")
        print(
            f"  edits that completed right, wrong  {sum(kill.completed for kill in own)}, {sum(k.wrong for k in own)}"
        )
    return int(any(kill.touched or kill.changed or kill.wrong for kill in kills))


def _run(folder: Path, count: int, seed: int) -> list[Kill]:
    log = folder / "kills.jsonl"
    kills = [Kill(**json.loads(line)) for line in log.read_text().splitlines()] if log.is_file() else []
    if not (folder / "made").is_file():
        for name in "ab":
            shutil.rmtree(folder / name, ignore_errors=True)
        make_sources(folder)
        (folder / "made").touch()
    before = files(folder)
    for edit in COMMANDS:
        shutil.rmtree(folder / "never_killed", ignore_errors=True)
        shutil.rmtree(unfinished(folder / "out"), ignore_errors=True)
        begun = time.monotonic()
        if start(folder, edit, "never_killed").wait():
            raise RuntimeError(f"{edit} failed without any kill")
        longest = time.monotonic() - begun
        right = contents(folder / "never_killed")
        done = sum(kill.edit == edit for kill in kills)
        for number in range(done, count):
            # Short waits fall in the beginning, and again and again reach further; the longest let it end.
            wait_s = random.Random(f"{seed} {edit} {number}").uniform(0, longest)
            kills.append(kill_once(folder, edit, wait_s, before, right))
            with log.open("a") as file:
                file.write(json.dumps(asdict(kills[-1])) + "\n")
        # The last one was killed, too: the same command must still complete.
        if unfinished(folder / "out").exists():
            if start(folder, edit, "out").wait() or contents(folder / "out") != right:
                raise RuntimeError(f"{edit} does not complete after its last kill")
            shutil.rmtree(folder / "out")
    return kills


if __name__ == "__main__":
    raise SystemExit(main())
