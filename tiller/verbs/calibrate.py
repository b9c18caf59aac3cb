"""`tiller calibrate WHAT [key=value ...]`: numbers that are measured and not chosen. `budget`: the energy of a task."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Callable, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import MANY, Range, Seed
from robot.description.record import fingerprint
from robot.errors import InputError, nearest
from robot.safety.energy.benign import FEWEST_EPISODES
from tiller.command_line.words import read_options

if TYPE_CHECKING:
    from robot.description.loading import RobotDescription
    from robot.safety.energy.streams import EnergyLog, EnergyStream
    from sim.evaluation.energy_log import TaskAgent
    from sim.tasks.environment import TaskEnv

    Found = tuple[EnergyLog, RobotDescription, dict[str, Any]]

Positive = Annotated[float, Range(0, 1e9, above=True)]
KINDS = {"budget": "The energy budget of a task, from benign episodes on a twin or from a robot's logs"}


@dataclass(frozen=True)
class BudgetOptions:
    """What `tiller calibrate budget` takes.

    Args:
        output: YAML file of the budget, which load_budget and budget= take.
        task: on a twin, to record episodes of.
        log: folder of a robot's episodes, in place of a task; docs/calibration.md says what is in it.
        robot: whose log it is, a file of configs/robot; with a task: the one to do it with, null for the task's own.
        episodes: successful ones to record, 20 or more.
        seed: of the first episode; the next ones count up.
        checkpoint: of a policy that does the task; null takes the task's scripted expert.
        n_action_steps: rows of a chunk that the policy executes before it plans again; null for its default.
        device: of the policy: auto, cpu, cuda or cuda:N.
        options: of the task, for example options.inner_hz=1000.
        harm_j: the most energy that may go into a contact; null for no such limit.
        force_n: the largest force of an impact; bounds the spring, with wall_n_per_m.
        wall_n_per_m: stiffness of the stiffest thing that may be hit.
        mass_kg: apparent mass of the tool, for the speed that the budget states.
        keep: folder to keep the recorded episodes in, as a log; null keeps none.
        overwrite: replace the output when it is there.
    """

    output: str
    task: str | None = None
    log: str | None = None
    robot: str | None = None
    episodes: Annotated[int, Range(FEWEST_EPISODES, MANY)] = 20
    seed: Seed = 0
    checkpoint: str | None = None
    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    harm_j: Positive | None = None
    force_n: Positive | None = None
    wall_n_per_m: Positive | None = None
    mass_kg: Annotated[float, Range(0, 1e4, above=True)] = 3.0
    keep: str | None = None
    overwrite: bool = False


ONLY_ON_TWINS = ("checkpoint", "n_action_steps", "keep", "options", "episodes", "seed", "device")


def command(words: Sequence[str]) -> int:
    """Find what is to be calibrated, read its options, and do it."""
    if not words or words[0] in ("-h", "--help"):
        print(
            "\n".join(
                [
                    "usage: tiller calibrate WHAT [key=value ...]",
                    "",
                    *(f"  {kind}  {text}" for kind, text in KINDS.items()),
                    "",
                    "tiller calibrate WHAT --help   its options",
                ]
            )
        )
        return 0
    kind, rest = words[0], words[1:]
    if kind not in KINDS:
        raise InputError(f"'{kind}'", expected="something that tiller calibrate measures", way_out=nearest(kind, KINDS))
    if any(word in ("-h", "--help") for word in rest):
        from tiller.command_line.help import columns, key_lines

        print(
            "\n".join(
                [
                    "usage: tiller calibrate budget task=NAME output=FILE [key=value ...]",
                    "       tiller calibrate budget log=FOLDER robot=NAME output=FILE [key=value ...]",
                    "",
                    f"{KINDS[kind]}.",
                    "",
                    "keys",
                    *columns(list(key_lines(BudgetOptions, {}, "  "))),
                ]
            )
        )
        return 0
    return budget(_options(rest))


def budget(options: BudgetOptions) -> int:
    """Pick a budget, write it, and print what it was picked from."""
    from robot.safety.energy.benign import require_robot
    from robot.safety.energy.picking import Harm, pick
    from sim.evaluation.energy_log import gravity_of
    from tiller.sheets.budget import lines, write_budget

    target = _claimed(options)
    harm = Harm(
        energy_j=math.inf if options.harm_j is None else options.harm_j,
        force_n=options.force_n,
        wall_n_per_m=options.wall_n_per_m,
    )
    log, description, source = _logged(options) if options.log else _recorded(options)
    require_robot(log, description)
    by = f", {source['actor']}" if "actor" in source else ""
    picked = pick(
        log.streams,
        robot=log.robot,
        harm=harm,
        mass_kg=options.mass_kg,
        gravity=gravity_of(description),
        provenance=f"Picked from {len(log.streams)} benign episodes of {log.task or 'a log'}{by}. "
        "Not a standard, not rated.",
    )
    write_budget(target, picked, {**source, "harm": to_json(harm), "robot_hash": fingerprint(description.spec)})
    print("\n".join(lines(picked)))
    print(f"Written to {target}")
    return 0


def _options(words: Sequence[str]) -> BudgetOptions:
    from tiller.configuration.compose import full_task

    if not any(word.startswith("output=") for word in words):
        raise InputError(
            "'output'",
            expected="a YAML file to write the budget to",
            got="nothing",
            way_out="Add output=, for example output=budgets/lift.yaml",
        )
    options: BudgetOptions = read_options("calibrate budget", BudgetOptions, [full_task(word) for word in words])
    if (options.log is None) == (options.task is None and options.checkpoint is None):
        raise InputError(
            "tiller calibrate budget",
            expected="task= (a twin), or log= and robot= (a robot)",
            got="both" if options.log else "neither",
        )
    if options.log is not None:
        if options.robot is None:
            raise InputError(
                "'robot'", expected="whose log it is", got="nothing", way_out="Add robot=, such as robot=fr3"
            )
        defaults = {each.name: each for each in fields(BudgetOptions)}
        for name in ONLY_ON_TWINS:
            plain = {} if name == "options" else defaults[name].default
            if getattr(options, name) != plain:
                raise InputError(f"{name}=", expected="no such key beside log=, whose episodes are there already")
    return options


def _claimed(options: BudgetOptions) -> Path:
    """The file to write, before any long work: free, or to be replaced by name."""
    target = Path(options.output)
    if target.is_dir() or target.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"output {target}",
            expected="a file that ends in .yaml",
            got="something else",
            way_out="For example output=budgets/lift.yaml",
        )
    if target.exists() and not options.overwrite:
        raise InputError(
            f"output {target}",
            expected="a new file",
            got="one that is there",
            way_out="Choose another output=, or add overwrite=true",
        )
    if options.keep is not None and Path(options.keep).exists():
        raise InputError(
            f"keep {options.keep}",
            expected="a folder that is not there yet",
            got="one that is there",
            way_out="Choose another keep=",
        )
    there = next(folder for folder in target.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"output {target}",
            expected="a place that can be written to",
            got=str(there),
            way_out="Choose another output=",
        )
    return target


def _recorded(options: BudgetOptions) -> Found:
    """Episodes of a task on a twin, and their source as it is written into the file."""
    import sim
    from robot.contract.loading import hashes
    from robot.safety.energy.streams import EnergyLog, write_log
    from sim.evaluation.energy_log import collect, twin_of
    from sim.tasks.environment import require_absolute
    from tiller.runs.progress import Counter

    actor, options, source = _actor(options)
    task_options = {**options.options, **({"robot": options.robot} if options.robot else {})}
    env = require_absolute(sim.make(str(options.task), **task_options))
    tried: list[str] = []
    streams: list[EnergyStream] = []
    try:
        twin = twin_of(env)
        if env.contract is not None:
            source["contract"] = hashes(env.contract)
        with Counter(f"recording {options.task}", options.episodes) as counter:
            for stream in collect(
                env, actor(env), options.episodes, seed=options.seed, on_episode=lambda each: tried.append(each.name)
            ):
                streams.append(stream)
                counter.show(len(streams), f"of {len(tried)} tried")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Stopped: {len(streams)} of {options.episodes} episodes were recorded, and no budget is picked from fewer"
        ) from None
    else:
        limb = twin.description.limbs[0]
        log = EnergyLog(twin.spec.name, tuple(map(limb.element, limb.arm.joints)), tuple(streams), str(options.task))
    finally:
        env.close()
    if options.keep is not None:
        write_log(Path(options.keep), log)
        print(f"Episodes kept in {options.keep}")
    return (
        log,
        twin.description,
        {**source, "task": options.task, "task_options": task_options, "seed": options.seed, "tried": len(tried)},
    )


def _actor(options: BudgetOptions) -> tuple[Callable[[TaskEnv], TaskAgent], BudgetOptions, dict[str, Any]]:
    """A function that makes the agent for an environment; the options with its task; its entry in the file."""
    if options.checkpoint is None:
        from sim.experts import make_expert

        expert = make_expert(str(options.task))
        return (lambda env: expert), options, {"actor": "scripted expert"}
    from policies.loading.folder import fingerprint as checkpoint_hash
    from policies.loading.load import load
    from policies.model.checkpoint_folder import find
    from robot.description import require_match
    from tiller.runs.acting import PolicyActor
    from tiller.runs.embodiment import embodiment_for
    from tiller.runs.origin import trained_task

    folder = find(options.checkpoint)
    policy = load(folder, options.device, embodiment_for(options.task))
    trained, trained_options = trained_task(options.checkpoint)
    if not (options.task or trained):
        raise InputError("'task'", expected="a task on a twin", got="none, and the checkpoint was trained without one")
    if options.task in (None, trained):
        options = replace(options, task=trained, options={**trained_options, **options.options})

    def made(env: TaskEnv) -> TaskAgent:
        require_match(
            policy.spec.observation,
            env.observation_spec,
            policy.spec.action,
            env.action_spec,
            left="policy",
            right=f"task {env.task.id}",
            way_out="Take the task that the policy was trained for",
        )
        return PolicyActor(policy, lambda: env.instruction, n_action_steps=options.n_action_steps)

    return made, options, {"actor": "policy", "checkpoint": checkpoint_hash(folder)}


def _logged(options: BudgetOptions) -> Found:
    """A robot's log, once it is known to be that robot's."""
    from robot.description.loading import load_robot
    from robot.safety.energy.streams import read_log

    description = load_robot(str(options.robot))
    log = read_log(Path(str(options.log)))
    return log, description, {"task": log.task, "log": str(options.log)}
