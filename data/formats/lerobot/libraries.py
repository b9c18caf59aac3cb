"""The libraries of the extra `formats` that tables and videos need."""

from __future__ import annotations

from types import ModuleType

from robot.errors import MissingExtraError


def require_parquet() -> ModuleType:
    """`pyarrow.parquet`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow, which reads LeRobot's tables,", "formats") from error
    return pyarrow.parquet  # type: ignore[no-any-return]


def require_av() -> ModuleType:
    """PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("PyAV, which decodes LeRobot's videos,", "formats") from error
    return av  # type: ignore[no-any-return]
