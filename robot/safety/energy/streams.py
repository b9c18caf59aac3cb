"""An arm's torques and joints in an episode at the rate of its inner loop, and the folder that stores such episodes.

The torque is held from sample to sample, so that its work between them is exact:
W_k = torque[k] . (joints[k + 1] - joints[k]). The torque of the last sample has no recorded displacement.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from robot.errors import InputError, nearest
from robot.files import write_file

SLOWEST_S = 0.002
FORMAT = "tiller energy log 1"
META = "meta.json"
_JITTER = 1.01  # of a period
_GAP = 1.5  # periods between two samples, above which one is missing
_FEWEST = 10
NEEDED = ("time_ns", "torque", "joints")
MORE = ("velocity", "contact", "spring_j", "force_n")


@dataclass(frozen=True, eq=False)
class EnergyStream:
    """One arm in one episode.

    Args:
        name: of the episode.
        time_ns: (k,) int64, the source's stamps.
        torque: (k, n) N*m without gravity, applied from each sample to the next: after every limit, as measured where
            the drive does not hold its command.
        joints: (k, n) rad, as measured by the encoders.
        velocity: (k, n) rad/s, of the inner loop at each sample; None takes differences of the joints.
        contact: (k,) bool, whether the arm or its load touches anything; None where unknown.
        spring_j, force_n: (k,) energy and force of the impedance law's spring; None where its set-point is unknown.
        success: whether the episode's task succeeded.

    Raises:
        InputError: shapes differ, a value is not finite, the rate is below 500 Hz, time stops, runs backwards or has
            a gap.
    """

    name: str
    time_ns: np.ndarray
    torque: np.ndarray
    joints: np.ndarray
    velocity: np.ndarray | None = None
    contact: np.ndarray | None = None
    spring_j: np.ndarray | None = None
    force_n: np.ndarray | None = None
    success: bool = True

    def __post_init__(self) -> None:
        where = f"episode {self.name}"
        if self.time_ns.ndim != 1 or self.time_ns.dtype.kind not in "iu":
            raise InputError(
                f"{where}: time_ns", expected="(k,) whole nanoseconds", got=f"{self.time_ns.dtype} {self.time_ns.shape}"
            )
        samples = len(self.time_ns)
        if samples < _FEWEST:
            raise InputError(where, expected=f"{_FEWEST} samples or more", got=str(samples))
        if self.joints.ndim != 2 or len(self.joints) != samples:
            raise InputError(f"{where}: joints", expected=f"({samples}, joints) as time_ns", got=str(self.joints.shape))
        for name in ("torque", "velocity", "contact", "spring_j", "force_n"):
            value = getattr(self, name)
            shape = self.joints.shape if name in ("torque", "velocity") else (samples,)
            if value is not None and value.shape != shape:
                raise InputError(f"{where}: {name}", expected=f"{shape}, as joints and time_ns", got=str(value.shape))
        for name in ("torque", "joints", "velocity", "spring_j", "force_n"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value).all():
                row = int(np.flatnonzero(~np.isfinite(value.reshape(samples, -1)).all(axis=1))[0])
                raise InputError(
                    f"{where}: {name} of sample {row}",
                    expected="finite numbers",
                    got=str(value[row]),
                    way_out="Leave the episode out, or log it again",
                )
        self._check_time(where)

    def _check_time(self, where: str) -> None:
        intervals = np.diff(self.time_ns.astype(np.int64))
        if intervals.min() <= 0:
            row = int(intervals.argmin())
            raise InputError(
                f"{where}: time after sample {row}",
                expected="later than the sample before",
                got=f"{intervals[row]} ns",
                way_out="Log the stamps of the source, each sample once",
            )
        if self.period_s > SLOWEST_S * _JITTER:
            raise InputError(
                f"{where}: rate",
                expected="500 Hz or more",
                got=f"{1 / self.period_s:.0f} Hz",
                way_out="Log in the inner loop itself: between slower samples torque and way are not "
                "known, and to interpolate them invents energy",
            )
        if intervals.max() > _GAP * self.period_s * 1e9:
            row = int(intervals.argmax())
            raise InputError(
                f"{where}: gap after sample {row}",
                got=f"{intervals[row] * 1e-6:.3g} ms",
                expected=f"{self.period_s * 1e3:.3g} ms to the next one",
                way_out="Log every sample, by the source's own clock; leave an episode with a gap out",
            )

    @cached_property
    def period_s(self) -> float:
        """T, the median time from sample to sample."""
        return float(np.median(np.diff(self.time_ns.astype(np.int64)))) * 1e-9

    @cached_property
    def work_j(self) -> np.ndarray:
        """(k - 1,) W_k."""
        return np.einsum("kn,kn->k", self.torque[:-1], np.diff(self.joints, axis=0))

    @property
    def drawn_j(self) -> float:
        """e*, the largest sum of W over time: the energy that a tank would have had to hold."""
        return max(float(self.work_j.cumsum().max()), 0.0)

    @property
    def speed(self) -> np.ndarray:
        """(k, n) rad/s at each sample: as logged, else the displacement since the sample before over T."""
        if self.velocity is not None:
            return self.velocity
        rates = np.diff(self.joints, axis=0) / self.period_s
        return np.concatenate([rates[:1], rates])

    @property
    def acceleration(self) -> np.ndarray:
        """(periods, n) rad/s^2: the least a for which the displacement of each period is within |dq - T qd| <= T^2 a /
        2, the set that the torque filter assumes. Without velocities it is the change of the displacement over T^2.
        """
        displacements = np.diff(self.joints, axis=0)
        if self.velocity is None:
            return np.asarray(np.abs(np.diff(displacements, axis=0)) / self.period_s**2)
        return np.asarray(2 * np.abs(displacements - self.period_s * self.velocity[:-1]) / self.period_s**2)


@dataclass(frozen=True)
class EnergyLog:
    """Episodes of one arm.

    Args:
        robot: name of its description.
        joints: their names, from the base to the flange, in the order of the columns.
        streams: one per episode.
        task: of the episodes; empty where it is not given.
    """

    robot: str
    joints: tuple[str, ...]
    streams: tuple[EnergyStream, ...] = field(repr=False)
    task: str = ""

    def __post_init__(self) -> None:
        for stream in self.streams:
            if stream.joints.shape[1] != len(self.joints):
                raise InputError(
                    f"episode {stream.name}: joints",
                    got=str(stream.joints.shape[1]),
                    expected=f"{len(self.joints)}: {', '.join(self.joints)}",
                )


def write_log(folder: Path, log: EnergyLog) -> None:
    """Write episodes to a new folder: one npz per episode, then meta.json.

    Raises:
        InputError: the folder is there already.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"log {folder}", expected="a folder that is not there yet and can be made", got=error.strerror or str(error)
        ) from None
    for stream in log.streams:
        arrays = {name: getattr(stream, name) for name in (*NEEDED, *MORE) if getattr(stream, name) is not None}
        np.savez_compressed(folder / f"{stream.name}.npz", **arrays)
    meta = {
        "format": FORMAT,
        "robot": log.robot,
        "joints": list(log.joints),
        "task": log.task,
        "success": {stream.name: stream.success for stream in log.streams},
    }
    # Last, and whole or not at all: a folder without it is unfinished.
    write_file(folder / META, json.dumps(meta, indent=2) + "\n")


def read_log(folder: Path) -> EnergyLog:
    """Read the episodes of a folder. Nothing in it is unpickled.

    Raises:
        InputError: meta.json or an episode is missing or invalid.
    """
    meta = _read_meta(folder)
    files = {file.stem: file for file in sorted(folder.glob("*.npz"))}
    success = meta["success"]
    for name in (*files, *success):
        if name not in files or name not in success:
            raise InputError(
                f"log {folder}: episode {name}",
                expected=f"{name}.npz and its success in {META}",
                got=f"no {name}.npz" if name not in files else f"nothing of it in {META}",
            )
    streams = tuple(_read_stream(file, success[name]) for name, file in files.items())
    return EnergyLog(meta["robot"], tuple(meta["joints"]), streams, meta.get("task", ""))


def _read_meta(folder: Path) -> Mapping[str, Any]:
    file = folder / META
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"log {folder}",
            expected=f"a folder of episodes with a {META}",
            got=f"no {META}",
            way_out="docs/calibration.md says what is in it",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"log {file}", expected="a JSON file", got=str(error)) from None
    kinds = {"robot": str, "joints": list, "success": dict}
    for key, kind in kinds.items():
        if not isinstance(meta, dict) or not isinstance(meta.get(key), kind):
            raise InputError(
                f"log {file}",
                expected="robot, joints (a list of names) and success (episode: true or false)",
                got=f"no such '{key}'",
                way_out="docs/calibration.md says what is in it",
            )
    if meta.get("format", FORMAT) != FORMAT:
        raise InputError(f"log {file}: format", expected=f"'{FORMAT}'", got=repr(meta["format"]))
    wrong = [name for name, success in meta["success"].items() if not isinstance(success, bool)]
    if wrong or not all(isinstance(name, str) for name in (*meta["joints"], meta.get("task", ""))):
        raise InputError(
            f"log {file}",
            expected="names of joints and task as text, success as true or false",
            got=f"{wrong[0]}: {meta['success'][wrong[0]]!r}" if wrong else str(meta["joints"]),
        )
    return meta


def _read_stream(file: Path, success: bool) -> EnergyStream:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"episode {file}", expected="an npz of plain arrays", got=str(error)) from None
    for name in arrays:
        if name not in (*NEEDED, *MORE):
            raise InputError(
                f"episode {file}: '{name}'",
                expected=f"one of {', '.join((*NEEDED, *MORE))}",
                way_out=nearest(name, (*NEEDED, *MORE)),
            )
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise InputError(f"episode {file}", expected=", ".join(NEEDED), got=f"no {', '.join(missing)}")
    numbers = {
        name: value if name in ("time_ns", "contact") else _numbers(file, name, value) for name, value in arrays.items()
    }
    if "contact" in numbers and numbers["contact"].dtype != bool:
        raise InputError(f"episode {file}: contact", expected="bool", got=str(numbers["contact"].dtype))
    return EnergyStream(name=file.stem, success=success, **numbers)


def _numbers(file: Path, name: str, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind not in "fiu":
        raise InputError(f"episode {file}: {name}", expected="numbers", got=str(value.dtype))
    return value.astype(np.float64)


def durations_s(streams: Sequence[EnergyStream]) -> float:
    """The duration of all episodes together, s."""
    return sum(float(stream.time_ns[-1] - stream.time_ns[0]) * 1e-9 for stream in streams)
