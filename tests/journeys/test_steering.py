"""From a checkpoint to a steered one by the command line: measured, kept, measured again, swept, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tiller as public
from policies.model.checkpoint import save
from sim.statistics.records import read_evaluation
from tests.journeys.commands import Command
from tests.journeys.test_bad_input import refused
from tests.sim.untrained_policy import untrained_policy

WORDS = ("task=pusht/state", "episodes=4", "videos=0", "options.max_steps=24", "batch=4")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(untrained_policy(), tmp_path_factory.mktemp("steering") / "policy")


def measured(tiller: Command, folder: Path, *words: str | Path) -> list[object]:
    tiller.succeeds("evaluate", *WORDS, *words, f"output={folder}")
    return [record.result for record in read_evaluation(folder).records]


def test_a_steered_policy_is_measured_kept_and_measured_again(tiller: Command, policy: Path, tmp_path: Path) -> None:
    plain = measured(tiller, tmp_path / "plain", f"checkpoint={policy}", "steps=3")
    one = measured(
        tiller, tmp_path / "one", f"checkpoint={policy}", "steps=3", "steering=noise_scale", "steering.noise_scale=1"
    )
    zero = measured(
        tiller, tmp_path / "zero", f"checkpoint={policy}", "steps=3", "steering=noise_scale", "steering.noise_scale=0"
    )
    assert one == plain and zero != plain
    kept = tmp_path / "zero" / "steered"
    assert measured(tiller, tmp_path / "again", f"checkpoint={kept}") == zero
    about = read_evaluation(tmp_path / "again").policy
    assert about["steering"] == [{"name": "noise_scale", "noise_scale": 0}] and about["steps"] == 3
    assert about["hash"] == read_evaluation(tmp_path / "plain").policy["hash"]
    assert tiller.succeeds("report", tmp_path / "again")
    assert public.load(kept).spec.sampler.steps == 3
    twice = measured(tiller, tmp_path / "twice", f"checkpoint={kept}", "steering=medoid", "steering.candidates=4")
    assert len(twice) == 4
    names = [each["name"] for each in read_evaluation(tmp_path / "twice").policy["steering"]]
    assert names == ["noise_scale", "medoid"]


def test_a_sweep_over_scales_has_their_curve(tiller: Command, policy: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    tiller.succeeds(
        "evaluate", "-m", *WORDS, f"checkpoint={policy}", "steering=noise_scale", "steering.noise_scale=0,0.5,1",
        f"output={sweep}",
    )  # fmt: skip
    assert "Scale of the noise" in (sweep / "report.html").read_text()
    assert len(list(sweep.glob("*/steered/policy.json"))) == 3


def test_what_is_kept_is_what_was_measured(tiller: Command, policy: Path, tmp_path: Path) -> None:
    steering = ("steering=noise_scale", "steering.noise_scale=0.5")
    for name, execution in (("rows", "n_action_steps=3"), ("ensemble", "ensemble=0.1")):
        there = measured(tiller, tmp_path / name, f"checkpoint={policy}", *steering, execution)
        kept = tmp_path / name / "steered"
        assert measured(tiller, tmp_path / f"{name}-again", f"checkpoint={kept}") == there
        out = f"output={tmp_path / 'out'}"
        refused(
            tiller, "evaluate", *WORDS, f"checkpoint={kept}", "n_action_steps=4", out, saying=("steering=execution",)
        )
    for words in (
        ("steering=execution", "steering.n_action_steps=4", "n_action_steps=8"),
        ("steering=sampler", "steering.steps=3", "steps=5"),
    ):
        refused(
            tiller, "evaluate", *WORDS, f"checkpoint={policy}", *words, f"output={tmp_path / 'out'}",
            saying=(f"nothing beside {words[0]}",),
        )  # fmt: skip


def test_a_policy_of_another_task_leaves_nothing_behind(tiller: Command, policy: Path, tmp_path: Path) -> None:
    words = ("task=twin/lift", "episodes=1", f"checkpoint={policy}", "steering=medoid", f"output={tmp_path / 'out'}")
    refused(tiller, "evaluate", *words, saying=("policy and task twin/lift do not fit",))
    assert not (tmp_path / "out").exists()


def test_what_a_run_reads_is_never_overwritten(tiller: Command, policy: Path, tmp_path: Path) -> None:
    measured(tiller, tmp_path / "one", f"checkpoint={policy}", "steering=noise_scale", "steering.noise_scale=0.5")
    kept, words = tmp_path / "one" / "steered", (f"output={tmp_path / 'one'}", "overwrite=true")
    saying = ("a folder without what this run reads",)
    refused(tiller, "evaluate", *WORDS, f"checkpoint={kept}", *words, saying=saying)
    compare = tmp_path / "one" / "evaluation.json"
    refused(tiller, "evaluate", *WORDS, f"checkpoint={policy}", f"compare={compare}", *words, saying=saying)
    collected = ("task=pusht/state", "episodes=1", "source=checkpoint", f"checkpoint={kept}")
    refused(tiller, "collect", *collected, *words, saying=saying)
    tiller.succeeds("collect", *collected, "options.max_steps=9", f"output={tmp_path / 'data'}")
    train = ("train", f"data={tmp_path / 'data'}", f"output={tmp_path / 'data'}", "overwrite=true")
    refused(tiller, *train, saying=saying)
    assert read_evaluation(tmp_path / "one") and (kept / "policy.json").is_file()


def test_what_cannot_steer_or_be_loaded_is_refused(tiller: Command, policy: Path, tmp_path: Path) -> None:
    out = f"output={tmp_path / 'out'}"
    for words, saying in (
        (("steering=noise_scal",), "noise_scale"),
        (("steering.noise_scale=0.5",), "Add steering="),
        (("steering=noise_scale", "steering.scale=0.5"), "Did you mean 'noise_scale'"),
        (("steering=noise_scale", "steering.noise_scale=-1"), "at least 0"),
        (("steering=noise_scale", "steering.noise_scale=nan"), "at least 0"),
        (("steering=noise_scale", "steering.noise_scale=inf"), "at most 100"),
        (("steering=medoid", "steering.candidates=0"), "at least 1"),
        (("steering=execution", "steering.n_action_steps=999"), "horizon"),
    ):
        refused(tiller, "evaluate", *WORDS, f"checkpoint={policy}", *words, out, saying=(saying,))
        assert not (tmp_path / "out").exists()
    base = Path(shutil.copytree(policy, tmp_path / "base"))
    measured(tiller, tmp_path / "made", f"checkpoint={base}", "steering=noise_scale", "steering.noise_scale=0.5")
    kept = f"checkpoint={tmp_path / 'made' / 'steered'}"
    refused(tiller, "evaluate", *WORDS, kept, "steps=3", out, saying=("euler in 10 steps", "euler in 3 steps"))
    record = json.loads((base / "policy.json").read_text())
    record["spec"]["n_action_steps"] = 2
    (base / "policy.json").write_text(json.dumps(record))
    refused(tiller, "evaluate", *WORDS, kept, out, saying=("of hash", "which was steered, got one of hash"))
    shutil.rmtree(base)
    refused(tiller, "evaluate", *WORDS, kept, out, saying=("the policy of hash", "nothing there"))


@pytest.fixture(scope="module")
def critic(pusht_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A critic of success trained for a second on episodes of the trained policy, of which one is made a success."""
    from data.store.dataset import Dataset
    from data.store.episode import Episode
    from tiller.cli import main

    folder = tmp_path_factory.mktemp("critic")
    words = ("collect", "task=pusht/state", "source=checkpoint", f"checkpoint={pusht_run}", "options.max_steps=30")
    assert main([*words, "episodes=6", f"output={folder / 'tried'}"]) == 0
    tried = Dataset.open(folder / "tried")
    with Dataset.create(folder / "data", tried.schema, attributes=dict(tried.attributes)) as data:
        for number in range(len(tried)):
            episode = tried.episode(number)
            data.append(Episode(episode.data, {**episode.meta, "success": number % 2 == 0}, episode.streams))
    seen = ("critic=success", "critic.n_obs_steps=2", "critic.steps=8", "critic.network.width=16")
    training = ("training.steps=20", "training.warmup=2", "training.batch_size=32", "training.validation.fraction=0")
    assert main(["train", *seen, *training, f"data={folder / 'data'}", f"output={folder / 'run'}"]) == 0
    return folder / "run"


def test_a_trained_policy_is_steered_by_a_trained_critic(
    tiller: Command, pusht_run: Path, critic: Path, tmp_path: Path
) -> None:
    words = (
        "evaluate",
        "task=pusht/state",
        "episodes=2",
        "videos=0",
        "options.max_steps=24",
        f"checkpoint={pusht_run}",
    )

    def results(folder: Path) -> list[object]:
        return [record.result for record in read_evaluation(folder).records]

    out = tiller.succeeds(*words, f"output={tmp_path / 'plain'}")
    assert "judgement" not in out
    value = ("steering=value", f"steering.critic={critic}")
    out = tiller.succeeds(*words, *value, "steering.samples=4", f"output={tmp_path / 'four'}")
    assert "no judgement.json beside it" in out and "steering=random_choice" in out
    assert f"Steered policy: {tmp_path / 'four' / 'steered'}" in out and "value critic=" in out
    tiller.succeeds(*words, *value, "steering.samples=1", f"output={tmp_path / 'one'}")
    assert results(tmp_path / "one") == results(tmp_path / "plain") != results(tmp_path / "four")
    guidance = ("steering=guidance", f"steering.critic={critic}")
    tiller.succeeds(*words, *guidance, "steering.weight=0", f"output={tmp_path / 'off'}")
    tiller.succeeds(*words, *guidance, "steering.beta=0.01", f"output={tmp_path / 'pulled'}")
    assert results(tmp_path / "off") == results(tmp_path / "plain") != results(tmp_path / "pulled")
    for name in ("four", "pulled"):
        kept = f"checkpoint={tmp_path / name / 'steered'}"
        tiller.succeeds(*words[:-1], kept, f"output={tmp_path / 'again' / name}")
        assert results(tmp_path / "again" / name) == results(tmp_path / name)
    for name, steering in (
        ("any", ("steering=random_choice", "steering.samples=4")),
        ("ticket", ("steering=ticket", "steering.seed=3", "steering.scale=0.5")),
        ("rows", (*value, "steering.samples=2", "steering.selection_temperature=1")),
    ):
        tiller.succeeds(*words, *steering, f"output={tmp_path / name}")
    out = f"output={tmp_path / 'out'}"
    for more, saying in (
        (("n_action_steps=4",), "rows: expected 4, which the policy executes per plan, got 8"),
        (("ensemble=0.1",), "rows: expected 1, which the policy executes per plan, got 8"),
        (("steering.samples=0",), "at least 1"),
        (("steering.critic=null",), "Add steering.critic=RUN"),
        ((f"steering.critic={pusht_run}",), "got a policy"),
    ):
        refused(tiller, *words, *value, *more, out, saying=(saying,))
    kept = f"checkpoint={tmp_path / 'four' / 'steered'}"
    refused(tiller, *words[:-1], kept, "n_action_steps=4", out, saying=("rows: expected 4",))
    unread = ("a folder without what this run reads",)
    refused(tiller, *words, *value, f"output={critic}", "overwrite=true", saying=unread)
    refused(tiller, *words[:-1], kept, f"output={critic}", "overwrite=true", saying=unread)
    weights = critic / "checkpoints" / "final" / "critic.json"
    record = json.loads(weights.read_text())
    record["recipe"]["gamma"] = record["spec"]["gamma"] = 0.5
    weights.write_text(json.dumps(record))
    refused(tiller, *words[:-1], kept, out, saying=("the critic of hash", "which steered, got one of hash"))
