"""Critics and several datasets from the command line: trained, stopped, resumed, judged, loaded, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tiller as face
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import BRANCHED_AT, GROUP, SUCCESS
from data.store.schema import Schema
from policies.critics.judgement import judge
from tests.journeys.commands import Command
from tests.journeys.test_bad_input import refused
from tests.policies.points import episode, schema
from tiller.sheets.critic import summary

CRITIC = (
    "critic=success", "critic.steps=4", "critic.network.width=32", "training.steps=60", "training.warmup=2",
    "training.batch_size=32", "training.log_every=20", "training.validation.every=30", "training.learning_rate=3e-3",
)  # fmt: skip


def write(path: Path, groups: int, first: int = 0) -> Path:
    """Groups of four points from one start, of which half go the other way, and fail."""
    plain = schema()
    facts = (SUCCESS, GROUP, BRANCHED_AT)
    with Dataset.create(path, Schema(plain.observation, plain.action, plain.period_s, facts)) as dataset:
        for group in range(first, first + groups):
            for member in range(4):
                made = episode(group, 12)
                data = dict(made.data)
                data["action"] = (data["action"] if member % 2 else -data["action"]).astype(np.float32)
                meta = {"success": bool(member % 2), "group": group, "branched_at": 0}
                dataset.append(Episode(data=data, meta=meta))
    return path


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("critics") / "groups", 12)


def test_a_critic_is_trained_stopped_resumed_and_judged(groups: Path, tmp_path: Path, tiller: Command) -> None:
    words = ("train", *CRITIC, f"data={groups}", "training.validation.fraction=0.25")
    out = tiller.succeeds(*words, f"output={tmp_path / 'whole'}")
    assert "AUC within one state" in out and "pairs" in out
    assert "Few states: collect more groups with another seed" in out and "fraction=" not in out
    finished = json.loads((tmp_path / "whole" / "finished.json").read_text())
    assert finished["auc"] > 0.8 and finished["auc_within_state"] > 0.8 and finished["pairs_within_state"] == 3 * 4
    assert (tmp_path / "whole" / "calibration.png").stat().st_size > 10_000
    assert (tmp_path / "whole" / "calibration.csv").read_text().startswith("value,success,chunks\n")
    tiller.succeeds(*words, "training.stop_after=25", f"output={tmp_path / 'parts'}")
    tiller.succeeds(*words, "resume=true", f"output={tmp_path / 'parts'}")
    weights = [
        (tmp_path / name / "checkpoints" / "final" / "model.safetensors").read_bytes() for name in ("whole", "parts")
    ]
    assert weights[0] == weights[1]
    critic = face.load_critic(tmp_path / "whole")
    batch = Windows(Dataset.open(groups), critic.spec).gather(np.arange(6))
    assert critic.value(batch.observation, batch.action[:, None]).shape == (6, 1)


def test_a_critic_is_judged_on_other_episodes(groups: Path, tmp_path: Path, tiller: Command) -> None:
    fresh = write(tmp_path / "fresh", 5, first=100)
    out = tiller.succeeds("train", *CRITIC, f"data={groups}", f"judge={fresh}", f"output={tmp_path / 'run'}")
    assert (
        "Judged on 240 chunks of 20 episodes that it never saw" in out
        and "20 pairs of 5 states" in out
        and "Few states: collect more groups with another seed" in out
    )
    judgement = judge(face.load_critic(tmp_path / "run"), [Dataset.open(fresh)], [np.arange(20)])
    for share, saying in ((0.02, "fraction=0.2"), (0.2, "another seed"), (0.3, "another seed"), (None, "another seed")):
        assert saying in next(line for line in summary(judgement, share).splitlines() if "Few states" in line)


def test_two_datasets_are_trained_on_in_shares(pusht_dataset: Path, tmp_path: Path, tiller: Command) -> None:
    words = (
        "train", f"data=[{pusht_dataset},{pusht_dataset}]", "training.weights=[3,1]", "policy.network.width=32",
        "policy.network.depth=1", "training.steps=20", "training.warmup=2", "training.batch_size=32",
        "training.validation.fraction=0",
    )  # fmt: skip
    episodes = len(Dataset.open(pusht_dataset))
    out = tiller.succeeds(*words, f"output={tmp_path / 'run'}")
    assert f"on {2 * episodes} episodes" in out and "in shares of 3:1" in out
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "weights:" in config and config.count(str(pusht_dataset)) == 2
    tiller.succeeds(*words, f"output={tmp_path / 'run'}", "resume=true")


def test_what_does_not_fit_is_refused_before_anything_is_written(
    groups: Path, pusht_dataset: Path, tmp_path: Path, tiller: Command
) -> None:
    run = tmp_path / "run"
    for words, saying in (
        ((f"data=[{groups},{pusht_dataset}]",), ("do not fit", str(groups), str(pusht_dataset))),
        ((f"data=[{groups},{groups}]",), ("the same one twice",)),
        ((f"data={groups}", "critic=success", f"judge={groups}"), ("'judge'", "not trained on")),
        ((f"data={groups}", "critic=success", f"judge=[{groups},{groups}]"), ("the same one twice", "judge=")),
        ((f"data={groups}", "critic=success", "critic.plan=beside"), ("critic.plan=beside", "Add base=CHECKPOINT")),
        ((f"data={groups}", "critic=success", f"judge={pusht_dataset}"), ("do not fit",)),
        ((f"data={groups}", "training.order.name=fact"), ("training.order", "key")),
        ((f"data={groups}", "training.order.name=top", "training.order.share=2"), ("training.order.share",)),
        ((f"data={groups}", "critic=success", "critic.objective.name=td"), ("critic.objective",)),
        ((f"data={groups}", "critic=success", "critic.network.widht=3"), ("'width'",)),
        ((f"data=[{groups},{groups}]", "training.weights=[0,1]"), ("training.weights", "above 0")),
        ((f"data=[{groups},{groups}]", "training.weights=[nan,1]"), ("training.weights", "nan")),
        (("data=[]",), ("a dataset, or several",)),
        ((f"data={groups}", "training.order.name=topp"), ("training.order", "'top'")),
        (
            (f"data={groups}", "critic=success", "policy=flow_unet"),
            ("policy=flow_unet", "those of a policy and a critic"),
        ),
        ((f"data={groups}", "critic=succes"), ("'success'",)),
        ((f"data={groups}", f"judge={groups}"), ("'judge'", "critic=")),
        ((f"data={pusht_dataset}", "critic=success"), ("fact 'success'",)),
    ):
        refused(tiller, "train", *words, f"output={run}", saying=saying)
        assert not run.exists(), words


def test_a_run_is_replaced_only_by_one_that_can_begin(groups: Path, tmp_path: Path, tiller: Command) -> None:
    run = tmp_path / "run"
    tiller.succeeds("train", *CRITIC, f"data={groups}", "training.steps=5", f"output={run}")
    before = (run / "checkpoints" / "final" / "model.safetensors").read_bytes()
    for words in (
        ("critic=success", "critic.observation=[gaol]"),
        ("critic=success", "critic.objective.name=td"),
        ("training.order.name=top", "training.order.share=2"),
        ("policy.network.widht=3",),
        ("training.order.name=fact", "training.order.key=sucess"),
    ):
        outcome = tiller("train", f"data={groups}", f"output={run}", "overwrite=true", *words)
        assert outcome.code == 2, outcome
        assert (run / "checkpoints" / "final" / "model.safetensors").read_bytes() == before


def test_a_critic_is_no_policy(groups: Path, tmp_path: Path, tiller: Command) -> None:
    tiller.succeeds("train", *CRITIC, f"data={groups}", "training.steps=5", f"output={tmp_path / 'critic'}")
    for verb in ("evaluate", "collect"):
        source = ("source=checkpoint",) if verb == "collect" else ()
        refused(
            tiller, verb, "task=pusht/state", *source, f"checkpoint={tmp_path / 'critic'}",
            f"output={tmp_path / 'out'}", saying=("got a critic",),
        )  # fmt: skip
