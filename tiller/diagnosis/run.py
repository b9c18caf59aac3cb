"""All measures in turn, each with its share of the time and kept as it ends."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from robot.description import from_json, to_json
from robot.errors import InputError, TillerError
from robot.files import write_file
from tiller.diagnosis import actions, chunks, coverage, critic, settings
from tiller.diagnosis.figures import (
    ActionsFigures,
    ChunksFigures,
    CoverageFigures,
    CriticFigures,
    FailuresFigures,
    Figures,
    LatencyFigures,
    SettingsFigures,
    TrainingFigures,
)
from tiller.diagnosis.subject import DEMONSTRATIONS, NOISE, STATES, Subject
from tiller.runs.output import read_kept

if TYPE_CHECKING:
    from data.store.dataset import Dataset

MEASURES, SUBJECT = "measures", "subject.json"


@dataclass(frozen=True)
class SettingsAndFailures:
    """Of the same episodes."""

    settings: SettingsFigures
    failures: FailuresFigures


def _settings(subject: Subject, budget_s: float, folder: Path) -> SettingsAndFailures:
    return SettingsAndFailures(*settings.measure(subject, budget_s, folder))


@dataclass(frozen=True)
class Measure:
    """One of the measures.

    Args:
        name: of it, of its folder and of its figures.
        what: in a few words.
        share: of the time; what is skipped leaves its own to the others.
        kind: of its figures.
        run: (subject, seconds, folder) -> figures.
        needs: what must not be lacking.
        after: measures that must not have been skipped.
    """

    name: str
    what: str
    share: float
    kind: type
    run: Callable[[Subject, float, Path], Any]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


ALL = (
    Measure("settings", "success over noise scale and sampler steps", 0.38, SettingsAndFailures, _settings),
    Measure("chunks", "success between and within chunks", 0.32, ChunksFigures, chunks.measure, (NOISE, STATES)),
    Measure("critic", "a quick critic", 0.20, CriticFigures, critic.measure, (NOISE, STATES), ("chunks",)),
    Measure("actions", "spread and roughness of actions", 0.04, ActionsFigures, actions.measure),
    Measure("coverage", "distance from the demonstrations", 0.04, CoverageFigures, coverage.measure, (DEMONSTRATIONS,)),
    Measure("latency", "time of a decision", 0.02, LatencyFigures, actions.latency),
)


def diagnose(subject: Subject, folder: Path) -> Figures:
    """Take every measure that is not there yet.

    Args:
        subject: what is diagnosed.
        folder: of the run; what is there of the same subject is kept.

    Raises:
        InputError: the folder holds measures of another subject.
    """
    require_same(subject, folder / SUBJECT)
    kept: dict[str, Any] = {}
    skipped = dict(subject.lacking)
    shares = sum(each.share for each in ALL if not any(need in subject.lacking for need in each.needs))
    seconds = 60 * subject.options.minutes / shares
    for measure in ALL:
        reason = next((subject.lacking[each] for each in measure.needs if each in subject.lacking), "")
        reason = reason or next((f"{each} was skipped" for each in measure.after if each not in kept), "")
        file = folder / MEASURES / f"{measure.name}.json"
        if not reason:
            if not file.exists():
                take(measure, subject, measure.share * seconds, folder)
            record = read_kept(file)
            reason = record.get("skipped", "")
        if reason:
            skipped[measure.name] = reason
            print(f"Skipped: {measure.what}: {reason}", flush=True)
        else:
            kept[measure.name] = from_json(measure.kind, record.get("figures") or {}, where=str(file))
    both = kept.pop("settings")
    return Figures(settings=both.settings, failures=both.failures, training=trained(subject), skipped=skipped, **kept)


def take(measure: Measure, subject: Subject, budget_s: float, folder: Path) -> None:
    """Take a measure, and keep it."""
    began = time.monotonic()
    print(f"{measure.what} ...", flush=True)
    record: dict[str, Any] = {}
    try:
        record["figures"] = to_json(measure.run(subject, budget_s, folder / MEASURES / measure.name))
    except InputError:
        raise
    except TillerError as error:
        if measure.name == ALL[0].name:
            raise
        record["skipped"] = str(error)
    record["seconds"] = round(time.monotonic() - began, 1)
    write_file(folder / MEASURES / f"{measure.name}.json", json.dumps(record, indent=1))


def require_same(subject: Subject, file: Path) -> None:
    """Keep what is diagnosed, or refuse another subject than the folder was begun with; more minutes are none.

    Raises:
        InputError: names what differs.
    """
    own = subject.options
    known = {key: subject.description[key] for key in ("hash", "sampler", "steps") if key in subject.description}
    facts = to_json(
        {**known, "task": subject.task, "options": subject.task_options, "rows": subject.rows, "seed": own.seed}
    )
    if file.exists():
        before = read_kept(file)
        for key, value in facts.items():
            if before.get(key) != value:
                raise InputError(
                    f"resume {file.parent}: {key}",
                    expected=f"{before.get(key)}, as it was begun",
                    got=str(value),
                    way_out="Give the same options, or another output=",
                )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, json.dumps(facts, indent=1))


def trained(subject: Subject) -> TrainingFigures:
    """How long the policy was trained: by its record, and by the configuration of its run where that is there."""
    updates = subject.description.get("trained_steps") or None
    if updates is None or subject.demonstrations is None:
        return TrainingFigures(updates)
    return TrainingFigures(updates, _epochs(subject, updates, subject.demonstrations))


def _epochs(subject: Subject, updates: int, data: Dataset) -> float | None:
    import yaml

    from policies.loading.folder import chain
    from tiller.runs.output import CONFIG, written_by

    start = chain(subject.options.checkpoint)[-1].resolve()
    for folder in (start, *list(start.parents)[:3]):
        if written_by(folder) == "train":
            values = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
            size = ((values or {}).get("training") or {}).get("batch_size")
            return updates * size / data.rows if size else None
    return None
