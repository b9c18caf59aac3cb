"""What `tiller collect` takes, and what of it goes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description.ranges import Count, Range, Seed, Share, Workers
from robot.errors import InputError, nearest
from sim.perturbations.sizes import Severity
from tiller.runs.sources import CHECKPOINT, EXPERT, MIXTURE, SOURCES

OF_GROUPS = ("group_decisions", "mixed_groups")


@dataclass(frozen=True)
class CollectOptions:
    """What `tiller collect` takes.

    Args:
        task: to collect on; source=expert needs one that has a scripted expert.
        episodes: to have in the end; of an expert successful ones.
        source: who acts: expert, checkpoint, or mixture: an expert or a policy, drawn anew for each episode.
        expert: of another task of the same keys and actions, whose instruction the episodes have then: what is told
            says what to do, not the scene. null takes the task's own.
        checkpoint: of the policy that acts.
        embodiment: that a policy of several acts as; null for the one of the task's name.
        checkpoints: of a mixture, further policies, such as earlier ones of the same run.
        expert_share: of a mixture, the share of episodes in which the expert acts.
        steering: what steers the policies, such as steering=noise_scale steering.noise_scale=2.
        sampler: of the policies, null for their default.
        steps: of the sampler, null for its default.
        n_action_steps: rows of a chunk that are executed before the next plan; null for the policy's default.
        action_noise: deviation of a field of the action in its unit (rotations: rad): action_noise.tcp.position=0.005.
        groups: collect groups of so many episodes that go on from one state, drawn at random; null for none.
        group_decisions: of an episode that may give a group's state, from the first one on; null for all.
        mixed_groups: keep only groups in which some succeed and some fail; one whose first half ended alike is dropped.
        seed: of the first episode or group; the next ones count up.
        workers: processes, of a mixture for each of those who act; the dataset does not depend on it.
        output: folder of the dataset; null makes outputs/collect/<date>.
        keep_failures: keep episodes without success too, and count them; null keeps those of policies.
        options: of the task, for example options.cameras=[agentview].
        perturbations: of the task, name -> severity 0 to 5: perturbations.friction=3; see docs/perturbations.md.
        randomise: draw each severity anew every episode, from 0 up to the one given.
        device: auto, cpu, cuda or cuda:N.
        resume: add what is missing to a dataset that was begun alike.
        overwrite: replace what an earlier run left in the output folder.
    """

    task: str
    episodes: Count = 50
    source: str = EXPERT
    expert: str | None = None
    checkpoint: str | None = None
    checkpoints: tuple[str, ...] = ()
    embodiment: str | None = None
    expert_share: Share = 0.5
    steering: Mapping[str, Any] | None = None
    sampler: str | None = None
    steps: Annotated[int, Range(1, 100_000)] | None = None
    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    action_noise: Mapping[str, Annotated[float, Range(0, 1000)]] = field(default_factory=dict)
    groups: Annotated[int, Range(2, 10_000)] | None = None
    group_decisions: Count | None = None
    mixed_groups: bool = False
    seed: Seed = 0
    workers: Workers = 1
    output: str | None = None
    keep_failures: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False
    device: str = "auto"
    resume: bool = False
    overwrite: bool = False

    @property
    def keeps_failures(self) -> bool:
        if self.keep_failures is None:
            return self.source != EXPERT or self.expert is not None
        return self.keep_failures


def require_consistent(options: CollectOptions, given: Mapping[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: names the one that is missing or of no use, and what it belongs to.
    """
    if options.source not in SOURCES:
        raise InputError(
            "source",
            expected=f"one of {', '.join(SOURCES)}",
            got=f"'{options.source}'",
            way_out=nearest(options.source, SOURCES),
        )
    acting = ("embodiment", "steering", "sampler", "steps", "n_action_steps")
    of_policies = ("checkpoint", "checkpoints", *acting, "groups")
    useless = [name for name in of_policies if options.source == EXPERT and getattr(options, name)]
    useless += [name for name in ("checkpoints", "expert_share") if options.source != MIXTURE and name in given]
    if useless:
        raise InputError(
            useless[0],
            expected="nothing of the kind",
            got=f"a value beside source={options.source}",
            way_out="Add source=checkpoint" if options.source == EXPERT else "Add source=mixture",
        )
    if options.source != EXPERT and options.expert is not None:
        raise InputError("expert", expected="source=expert", got=f"source={options.source}")
    if options.source != EXPERT and not options.checkpoint:
        raise InputError(
            "checkpoint", expected=f"the policy that acts, with source={options.source}", got="none",
            way_out="Add checkpoint=outputs/train/...",
        )  # fmt: skip
    if options.groups is None:
        for name in OF_GROUPS:
            if getattr(options, name):
                raise InputError(name, expected="groups that it is of", got="none", way_out="Add groups=8")
        return
    if options.source != CHECKPOINT or not options.keeps_failures:
        raise InputError(
            "groups",
            expected="source=checkpoint, and failures kept: a group is what comes of one state",
            got=f"source={options.source}" if options.source != CHECKPOINT else "keep_failures=false",
        )
    if options.episodes % options.groups:
        raise InputError("episodes", expected=f"a multiple of groups={options.groups}", got=str(options.episodes))
