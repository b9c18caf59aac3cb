"""`tiller data info` and `tiller data validate`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from data.checks.rules.thresholds import Thresholds
from robot.errors import InputError, nearest

FORMATS = ("text", "json")


def _require_format(name: str) -> None:
    if name not in FORMATS:
        raise InputError("format", expected=" or ".join(FORMATS), got=f"'{name}'", way_out=nearest(name, FORMATS))


@dataclass(frozen=True)
class InfoOptions:
    """What `tiller data info` takes.

    Args:
        episodes: a table of every episode too, with its facts.
        format: text, or json.
    """

    episodes: bool = False
    format: str = "text"

    def __post_init__(self) -> None:
        _require_format(self.format)


@dataclass(frozen=True)
class ValidateOptions(Thresholds):
    """What `tiller data validate` takes.

    Args:
        decode: decode encoded images too; else their checksums and headers are looked at.
        format: text, or json with every finding.
    """

    decode: bool = False
    format: str = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_format(self.format)

    @property
    def thresholds(self) -> Thresholds:
        """Of the rules."""
        return Thresholds(**{field.name: getattr(self, field.name) for field in fields(Thresholds)})


def info(path: str, options: InfoOptions) -> int:
    """What a dataset holds."""
    from data.checks.info import info as facts
    from data.checks.info import nearly_constant

    shown, notes = facts(path, episodes=options.episodes), nearly_constant(path)
    if options.format == "json":
        print(json.dumps({**shown.to_json(), "notes": notes}, indent=2, allow_nan=False))
    else:
        print("\n".join([*shown.lines(), *notes]))
    return 0


def validate(path: str, options: ValidateOptions) -> int:
    """Read every chunk and list what is wrong; 1 when something is."""
    from data.checks.validate import validate as examine

    report = examine(path, options.thresholds, decode=options.decode)
    if options.format == "json":
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
    else:
        print("\n".join(report.lines()))
    return 0 if report.ok else 1
