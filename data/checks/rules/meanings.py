"""What is wrong with columns whose numbers each stand for something: numbers that stand for nothing."""

from __future__ import annotations

import numpy as np

from data.checks.blame import Judgement
from data.checks.scan import readable_integers
from data.store import layout
from data.store.consistency import Borders
from data.store.names import ACTOR, QUALITY, has_column, meaning, without_meaning


def judge_meanings(judgement: Judgement, borders: Borders) -> None:
    """Judge the actors and qualities of rows: an unknown one may be a row that nobody should learn from."""
    contents = judgement.contents
    for column in (ACTOR, QUALITY):
        path = layout.row_path(column.name)
        if not has_column(contents.schema, column) or path not in contents.stored:
            continue
        values, known = readable_integers(contents, path, contents.rows)
        bad = np.flatnonzero(known & without_meaning(column, values))
        if len(bad):
            row = int(bad[0])
            judgement.blame_used(
                path,
                f"{len(bad)} rows hold what has no meaning, the first {values[row]} in row {row}"
                f"{judgement.of_row(row)}; expected {meaning(column)}",
                borders.of(bad),
            )
