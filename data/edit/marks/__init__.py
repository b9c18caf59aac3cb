"""What a person marked in a store while looking at it, in a file beside it: what to keep, cut and call otherwise."""

from data.edit.marks.file import marks_beside, marks_path, read_marks, store_of, write_marks
from data.edit.marks.mark import EpisodeMark, Marks, labels_of, mark_of
from data.edit.marks.matching import blank_mark, differences

__all__ = [
    "EpisodeMark",
    "Marks",
    "blank_mark",
    "differences",
    "labels_of",
    "mark_of",
    "marks_beside",
    "marks_path",
    "read_marks",
    "store_of",
    "write_marks",
]
