"""One policy of many tasks, told by words: ten or fifty Meta-World tasks from one network, all ten twins from another.

    python -m benchmarks.generalist mt10             train what is missing, evaluate, write the table
    python -m benchmarks.generalist twin
    python -m benchmarks.generalist mt50
    python -m benchmarks.generalist mt10 --select    evaluate on the seeds that recipes are chosen on

Each suite's demonstrations are collected once: 25 per Meta-World task (20 of all fifty), 60 per twin task. Where a
start gives a task away, words decide nothing, and a policy that is told something else does the task all the same
(measured: 1.00 told the opposite). So 5 of the 25 of drawer and window are of the expert that opens, in the scene of
the one that closes, and the other way round: episodes in which it comes no closer to the scene's own goal (a hand that
comes to shut a window may open it on its way). And the drawer of the twin stands anywhere. A run is trained by `tiller
train` and goes on where it was interrupted. Every run is evaluated on each task with its own instruction; that of words
also with paraphrases that no demonstration has and with the instructions of other tasks of the same scene; beside the
latter stands how often the demonstrator of the other task, who does as told, does the scene's own task by it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

import sim
from benchmarks.artifacts import RESULTS, ROOT, interval_cells, tiller, write_csv
from data.store.dataset import Dataset
from data.store.names import SUCCESS
from robot.description import Policy, to_json
from robot.errors import TillerError
from sim.evaluation.collect import record
from sim.statistics.intervals import wilson
from sim.tasks.registry import suite_ids, task_info

ARTIFACTS = ROOT / "artifacts" / "generalist"
REPORTED, SELECTED = 100_000, 500_000
"""First seeds: of what is reported, and of what recipes are chosen on."""
UNTOUCHED, CLOSER_M = 5, 0.02
EXPERT = "expert"
COLUMNS = (
    "run", "prompt", "told", "task", "success", "success_low", "success_high", "episodes", "first_seed", "updates",
    "processor_minutes", "date",
)  # fmt: skip

SCENES: Sequence[tuple[str, ...]] = (
    ("reach", "push", "pick-place"), ("drawer-open", "drawer-close"), ("window-open", "window-close"),
)  # fmt: skip
PARAPHRASES: Mapping[str, tuple[str, ...]] = {
    "reach": ("bring the gripper to the goal position", "go to the target with your hand"),
    "push": ("shove the puck to the target", "slide the puck along the table to the goal"),
    "pick-place": ("grasp the puck, lift it and keep it at the target", "grab the puck and carry it to the goal"),
    "door-open": ("open the door", "swing the door open"),
    "drawer-open": ("open the drawer", "pull out the drawer"),
    "drawer-close": ("close the drawer", "shut the drawer"),
    "button-press-topdown": ("push the button from above", "hit the button on the box's top"),
    "peg-insert-side": ("insert the peg into the hole from the side", "grab the peg and slide it into the hole"),
    "window-open": ("open the window", "push the window to the side to open it"),
    "window-close": ("close the window", "shut the window by its handle"),
}


@dataclass(frozen=True)
class Suite:
    """Tasks that one network learns.

    Args:
        tasks: names within the suite of Meta-World or the twin.
        demonstrations: what is collected: folder -> overrides of `tiller collect`.
        episodes: evaluated per task.
        runs: name -> overrides of `tiller train`.
    """

    room: str
    tasks: tuple[str, ...]
    demonstrations: Mapping[str, tuple[str, ...]]
    episodes: int
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


MT10 = (
    "reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close", "button-press-topdown",
    "peg-insert-side", "window-open", "window-close",
)  # fmt: skip
OPPOSITES = {
    task: other for pair in (("drawer-open", "drawer-close"), ("window-open", "window-close"))
    for task, other in (pair, pair[::-1])
}  # fmt: skip
MT50 = tuple(task.removeprefix("metaworld/") for task in suite_ids("metaworld"))
CALM = ("stack", "hand_turn")
"""Tasks of the twin that zero noise does better, on 40 episodes of the seeds that recipes are chosen on."""
TWIN = ("lift", "place", "press", "stack", "wipe", "peg", "door", "drawer", "hand_grasp", "hand_turn")
SUITES = {
    "mt10": Suite(
        "metaworld",
        MT10,
        {
            **{task: (f"task=metaworld/{task}", f"episodes={20 if task in OPPOSITES else 25}") for task in MT10},
            **{f"{other}_in_{task}": (f"task=metaworld/{task}", f"expert=metaworld/{other}", "options.max_steps=100",
                                      "episodes=20", "seed=50") for task, other in OPPOSITES.items()},
        },
        episodes=50,
        runs={
            name: (f"policy.prompt.name={prompt}", "training=default", "training.steps=30000")
            for name, prompt in (("language", "language"), ("task_ids", "instruction"))
        },
    ),
    "mt50": Suite(
        "metaworld",
        MT50,
        {task: (f"task=metaworld/{task}", "episodes=20") for task in MT50},
        episodes=20,
        runs={"language": ("policy.prompt.name=language", "policy.network.width=768", "training=default",
                           "training.steps=60000")},
    ),
    "twin": Suite(
        "twin",
        TWIN,
        {task: (f"task=twin/{task}", "episodes=60", *(["options.starts=ambiguous"] if task == "drawer" else []))
         for task in TWIN},
        episodes=100,
        runs={
            "language": ("policy=generalist", "policy.generalist.without=[drawer.wanted]",
                         "policy.generalist.rename={twin/hand_grasp: {object.kind: tool.kind}}",
                         "training=default", "training.steps=24000"),
        },
    ),
}  # fmt: skip


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("runs", nargs="*", help="default: all of the suite")
    parser.add_argument("--select", action="store_true", help="evaluate on the seeds that recipes are chosen on")
    parser.add_argument("--train", action="store_true", help="only train")
    parser.add_argument("--episodes", type=int, help="per task")
    options = parser.parse_args(words)
    suite = SUITES[options.suite]
    folder = ARTIFACTS / options.suite
    data = demonstrations(suite, folder)
    seed, episodes = (SELECTED if options.select else REPORTED), options.episodes or suite.episodes
    for name in options.runs or suite.runs:
        run = train(name, suite, data, folder)
        if options.train:
            continue
        for condition, task, prompt in conditions(name, options.suite, suite):
            measured(run, condition, f"{suite.room}/{task}", prompt, episodes, seed)
    if options.suite == "mt10" and not (options.select or options.train):
        for task, other in told_others():
            demonstrated(folder / EXPERT, f"metaworld/{task}", f"metaworld/{other}", episodes, seed)
    if not (options.select or options.train):
        write_csv(RESULTS / f"generalist_{options.suite}.csv", COLUMNS, rows(folder, suite, seed))
    return 0


def demonstrations(suite: Suite, folder: Path) -> list[Path]:
    """The datasets, collected where they are missing."""
    paths = []
    for name, words in suite.demonstrations.items():
        path = folder / "demonstrations" / name
        if not path.with_suffix(".done").exists():
            tiller("collect", *words, f"output={path}", *(["resume=true"] if path.exists() else []))
            path.with_suffix(".done").touch()
        if "_in_" in name:
            path = still(path, path.with_name(f"{name}_still"))
        paths.append(path)
    return paths


def still(source: Path, target: Path) -> Path:
    """The first `UNTOUCHED` episodes in which the object comes no closer to where the scene's own task wants it."""
    if not target.exists():
        data = Dataset.open(source)
        assert data.schema is not None, "demonstrations were collected by tiller"
        with Dataset.create(target, data.schema, attributes=data.attributes) as kept:
            for number in range(len(data)):
                episode = data.episode(number)
                left = np.linalg.norm(episode.data["goal.position"] - episode.data["object.position"], axis=1)
                if len(kept) < UNTOUCHED and left.min() > left[0] - CLOSER_M:
                    kept.append(episode)
            if len(kept) < UNTOUCHED:
                raise TillerError(f"only {len(kept)} of {len(data)} episodes of {source} leave the scene's task undone")
    return target


def train(name: str, suite: Suite, data: Sequence[Path], folder: Path) -> Path:
    """The run, trained where it is missing or unfinished."""
    output = folder / name
    if not (output / "checkpoints" / "final").is_dir():
        listed = ",".join(map(str, data))
        tiller("train", f"data=[{listed}]", *suite.runs[name], f"output={output}", "resume=true")
    return output


def conditions(run: str, name: str, suite: Suite) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What is evaluated: the name of the condition, the task, and the instruction in place of the episode's, the starts
    of the task, or the scale of the noise.
    """
    for task in suite.tasks:
        yield "own", task, {}
    if run != "language":
        return
    for task in suite.tasks if name == "mt10" else ():
        for number, words in enumerate(PARAPHRASES[task]):
            yield f"paraphrase {number}", task, {"instruction": words}
    for task, other in told_others() if name == "mt10" else ():
        yield f"of {other}", task, {"instruction": instruction(f"{suite.room}/{other}")}
    if name == "twin":
        yield "any start", "drawer", {"starts": "ambiguous"}
        for task in CALM:
            yield "zero noise", task, {"noise_scale": 0.0}


def told_others() -> Iterator[tuple[str, str]]:
    """Each task of a scene, and another one of it that is told."""
    for scene in SCENES:
        for task in scene:
            for other in scene:
                if other != task:
                    yield task, other


def demonstrated(folder: Path, task: str, other: str, episodes: int, seed: int) -> None:
    """How often the expert of another task, who does what that one's instruction says, does this task by it."""
    file = evaluation_file(folder, task, f"of {other.split('/')[-1]}", seed, episodes)
    if file.exists():
        return
    env = sim.make(task)
    found = [bool(record(env, each, expert=other).meta[SUCCESS.name]) for each in range(seed, seed + episodes)]
    env.close()
    write(file, task, f"of {other.split('/')[-1]}", instruction(other), seed, [{"success": each} for each in found])
    print(f"expert {task} of {other}: {np.mean(found):.3f}", flush=True)


def evaluation_file(folder: Path, task: str, condition: str, seed: int, episodes: int) -> Path:
    return folder / "evaluations" / f"{task.replace('/', '-')}-{condition.replace(' ', '_')}-{seed}-{episodes}.json"


def write(file: Path, task: str, condition: str, words: str, seed: int, records: Any) -> dict[str, Any]:
    row = {"condition": condition, "task": task, "words": words, "seed": seed, "records": records}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(row))
    return row


def instruction(task: str) -> str:
    return task_info(task).instruction


def measured(
    run: Path, condition: str, task: str, prompt: Mapping[str, Any], episodes: int, seed: int
) -> Mapping[str, Any]:
    """Success of the run on a task under a prompt, from its file where it was measured before."""
    from policies.loading.load import load
    from policies.steering.by_noise.noise_scale import NoiseScaled
    from policies.steering.prompted import Prompted
    from sim.evaluation.rollout import evaluate_policy
    from tiller.runs.embodiment import embodiment_for

    file = evaluation_file(run, task, condition, seed, episodes)
    if file.exists():
        return dict(json.loads(file.read_text()))
    policy: Policy = load(run, embodiment=embodiment_for(task))
    if "instruction" in prompt:
        policy = Prompted(policy, instruction=prompt["instruction"])
    if "noise_scale" in prompt:
        policy = NoiseScaled(policy, noise_scale=prompt["noise_scale"])
    options = {"starts": prompt["starts"]} if "starts" in prompt else {}
    evaluation = evaluate_policy(policy, task, episodes=episodes, seed=seed, options=options)
    row = write(file, task, condition, prompt.get("instruction", ""), seed, to_json(evaluation.records))
    assert evaluation.summary is not None
    print(f"{run.name} {task} {condition}: {evaluation.summary.success.estimate:.3f}", flush=True)
    return row


def rows(folder: Path, suite: Suite, seed: int) -> Iterator[dict[str, Any]]:
    """Every measurement of the reported seeds."""
    for name in (*suite.runs, EXPERT):
        finished = folder / name / "finished.json"
        effort = json.loads(finished.read_text()) if finished.exists() else {}
        for file in sorted((folder / name / "evaluations").glob(f"*-{seed}-*.json")):
            row = json.loads(file.read_text())
            successes = [bool(record["success"]) for record in row["records"]]
            rate = wilson(sum(successes), len(successes))
            yield {
                "run": name, "prompt": row["condition"], "told": row["words"], "task": row["task"],
                **interval_cells("success", rate), "episodes": len(successes), "first_seed": seed,
                "updates": effort.get("updates", ""),
                "processor_minutes": round(effort.get("processor_minutes", 0), 1),
                "date": date.fromtimestamp(file.stat().st_mtime).isoformat(),
            }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
