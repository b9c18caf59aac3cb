"""What is known of a recorded row beside its values, as one number of flags."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """Flags of a row; 0 where nothing is the matter.

    Attributes:
        STALE: a key is of a message further than one period of its stream from the row's moment.
        INTERPOLATED: a number was interpolated between two messages.
        GAP: rows were lost before this one.
        LIMITED: the gate changed the target that was requested.
        DROPPED: messages were lost on their way.
        REWOUND: the person took the row back: its action counts in no loss, but it may be history of rows that follow.
    """

    STALE = 1
    INTERPOLATED = 2
    GAP = 4
    LIMITED = 8
    DROPPED = 16
    REWOUND = 32
