"""The streams of a contract as a recorder reads them: watched, their pictures as they are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from data.store.images.encoding import AS_IT_CAME, PNG, Encoding
from real.recorder.incoming.arrivals import Arrivals
from real.recorder.incoming.pictures import Picture, first_picture
from real.recorder.incoming.stream_watch import StreamWatch
from real.recorder.rows import LARGEST
from real.ros.reading import EpisodeNotice, Refusal
from real.ros.streams import read_stream, state_type
from real.ros.wire.alike import AlikeReader
from real.ros.wire.packed import read_data, read_header
from real.ros.wire.repeated import Unpacker
from real.ros.wire.unpacking import unpacked
from robot.contract.contract import CAMERA_TYPES, Contract
from robot.contract.loading import describe
from robot.contract.names import stream_names
from robot.control.observation.recordable import recordable
from robot.control.observation.streams import gathered, stream_readers
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError, nearest

UNDECODED = (AS_IT_CAME, PNG)
SAMPLED = ("joint_state", "pose", "wrench")
UNWATCHED = ("driver_state",)


@dataclass(frozen=True, eq=False)
class Measurements:
    """Messages of numbers that were read together, oldest first.

    Args:
        values: name of an observation -> (k, ...).
        stamps_ns: (k,) when they were measured.
        samples: (k, n) float64.
    """

    values: Mapping[str, np.ndarray]
    stamps_ns: np.ndarray
    samples: np.ndarray

    def part(self, first: int, end: int) -> Measurements:
        """Some of them."""
        here = slice(first, end)
        values = {name: each[here] for name, each in self.values.items()}
        return Measurements(values, self.stamps_ns[here], self.samples[here])


@dataclass(frozen=True, eq=False)
class Measurement:
    """A message that was read.

    Args:
        values: under the names of observations; pictures that are stored as they came as bytes.
        stamp_ns: when it was measured.
        sample: (k,) float64 of a stream that is kept at its own rate, else None.
    """

    values: Mapping[str, Any]
    stamp_ns: int
    sample: np.ndarray | None


class RecordedStreams:
    """Reads and watches what is recorded.

    Args:
        contract: of the robot.
        cameras: that are recorded; None takes all of the contract.

    Raises:
        InputError: there is no such camera.
    """

    def __init__(self, contract: Contract, cameras: Iterable[str] | None = None) -> None:
        chosen = contract.cameras if cameras is None else tuple(cameras)
        for camera in chosen:
            if camera not in contract.cameras:
                raise InputError(
                    f"camera '{camera}'",
                    expected=f"a camera of contract '{contract.name}'",
                    way_out=nearest(camera, contract.cameras),
                )
        self.contract, self._description = contract, describe(contract)
        self.cameras = chosen
        self.names = tuple(
            name
            for name, stream in contract.state.items()
            if stream.type not in UNWATCHED and (stream.type not in CAMERA_TYPES or name in chosen)
        )
        unrecorded = {name for name in contract.cameras if name not in chosen}
        self._recorded = replace(
            contract, state={name: stream for name, stream in contract.state.items() if name not in unrecorded}
        )
        self._readers = stream_readers(contract)
        self._sampled: dict[str, tuple[str, ...]] = {}  # names of the numbers of a sample
        self._unpackers = {name: Unpacker(self.message_type(name)) for name in self.names}
        self._alike = {
            name: AlikeReader(JointState) for name in self.names if contract.state[name].type == "joint_state"
        }
        self.watches = {name: self._watch(name) for name in self.names}
        self._first: dict[str, Picture] = {}
        self._lengths: dict[str, int] = {}  # of vectors
        self._encodings: Mapping[str, Encoding] = {}

    def _watch(self, name: str) -> StreamWatch:
        stream = self.contract.state[name]
        sensor = stream.type in CAMERA_TYPES and self.contract.plant == "robot"
        return StreamWatch(name, stream.rate_hz, stream.ages(self.contract.staleness), sensor=sensor)

    @property
    def fast(self) -> tuple[str, ...]:
        """Streams whose messages are read together where that is possible: those of joints."""
        return tuple(self._alike)

    def message_type(self, name: str) -> type:
        return state_type(self.contract.state[name])

    def note(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Refusal | None:
        """Watch a message; only a stream's first one is read. Why it cannot be recorded, or None."""
        watch = self.watches[name]
        if self.contract.state[name].type == "vector":  # it has no stamp: watched by its receipt, in steady time
            problem = watch.came(round(now_s * 1e9), 0, now_s)
            if problem:
                return Refusal(problem)
            return self._look(name, packed, now_s) if name not in self._lengths else None
        header = read_header(packed)
        if isinstance(header, Refusal):
            return self._refused(name, header.reason, now_s)
        content = read_data(packed, self.contract.state[name].compressed) if watch.sensor else b""
        if isinstance(content, Refusal):
            return self._refused(name, content.reason, now_s)
        stamp_ns, _ = header
        problem = watch.came(stamp_ns, now_ns, now_s, content)
        if problem:
            return Refusal(problem)
        if name in self.cameras and name not in self._first:
            return self._look(name, packed, now_s)
        return None

    def read(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Measurement | Refusal:
        """Read a message that was noted."""
        stream = self.contract.state[name]
        message = self._unpackers[name](packed)
        if isinstance(message, Refusal):
            return self._refused(name, message.reason, now_s)
        kind = self._encodings[f"{name}.{stream.type}"].kind if name in self.cameras and self._encodings else ""
        try:
            values, stamp_ns = read_stream(
                self.contract,
                self._description,
                self._readers,
                name,
                message,
                decode=kind not in UNDECODED or kind != stream.stored_as,
                received_ns=now_ns,
            )
        except InputError as error:
            return self._refused(name, str(error), now_s)
        sample = self._sample(name, values)
        unfit = self._unfit(name, values, kind)
        if not unfit and sample is not None and not np.isfinite(sample).all():
            unfit = "a number that is not finite"
        if unfit:
            return self._refused(name, unfit, now_s)
        if name in self._alike:
            self._alike[name].learn(packed, message)
        return Measurement(values, stamp_ns, sample)

    def note_and_read(self, name: str, arrivals: Arrivals) -> Measurements | None:
        """Watch and read messages of a `fast` stream together; None where they have to be noted and read one by one,
        as one is of another kind than before, or cannot be recorded. Then nothing was noted.
        """
        many = self._alike[name](arrivals.packed)
        if many is None or many.numbers.shape[1] != len(many.names):
            return None
        values = gathered(self._description, self._readers[name].read(many.names, many.numbers))
        names = self._names_of_sample(name)
        if any(each not in values for each in names):
            return None
        samples = np.concatenate([values[each] for each in names], axis=1, dtype=np.float64)
        if not np.abs(samples).max() < LARGEST:  # one by one it is told which of them is none, and why
            return None
        if not self.watches[name].came_all(many.stamps_ns, arrivals.now_ns, arrivals.now_s):
            return None
        return Measurements(values, many.stamps_ns, samples)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Streams that must be seen once before a store can be made: cameras without a picture, vectors without one."""
        vectors = (name for name in self.names if self.contract.state[name].type == "vector")
        return (
            *(name for name in self.cameras if name not in self._first),
            *(name for name in vectors if name not in self._lengths),
        )

    def observation(self, notice: EpisodeNotice | None) -> tuple[ObservationSpec, dict[str, Encoding]]:
        """The keys of a row and how its pictures are stored: what the task of a twin measures, else all that the
        contract carries; and the cameras.
        """
        if notice is not None and notice.observation is not None:
            fields = [field for field in notice.observation if not field.is_image]
        else:
            sizes: dict[str, tuple[int, ...]] = {name: each.shape[:2] for name, each in self._first.items()}
            sizes |= {name: (length,) for name, length in self._lengths.items()}
            own = recordable(self._recorded, self._description, sizes=sizes)
            fields = [field for field in own if not field.is_image]
        encodings = {}
        for name in self.cameras:
            stream, first = self.contract.state[name], self._first[name]
            key = f"{name}.{stream.type}"
            unit = "1" if stream.type == "image" else "mm"
            fields.append(ObservationField(key, first.shape, first.dtype, unit, stream.type))
            encodings[key] = Encoding(first.stored_as(stream))
        self._encodings = encodings
        return ObservationSpec(tuple(fields)), encodings

    def _look(self, name: str, packed: bytes, now_s: float) -> Refusal | None:
        """Learn the size of a camera's pictures, or of a vector, from the first one."""
        stream = self.contract.state[name]
        message = unpacked(packed, state_type(stream))
        if isinstance(message, Refusal):
            return self._refused(name, message.reason, now_s)
        if isinstance(message, Float64MultiArray):
            length = len(message.data)
            if not length or (stream.size and stream.size != (length,)):
                return self._refused(name, f"{length} numbers, {stream.size or 'some'} are expected", now_s)
            self._lengths[name] = length
            return None
        first = first_picture(stream, message)
        if isinstance(first, Refusal):
            return self._refused(name, first.reason, now_s)
        self._first[name] = first
        return None

    def _unfit(self, name: str, values: Mapping[str, Any], kind: str) -> str:
        """Why a message is of another kind than the first one; empty where it is of the same."""
        if name in self._lengths:
            length = len(values[name])
            return "" if length == self._lengths[name] else f"{length} numbers, before {self._lengths[name]}"
        if name not in self._first:
            return ""
        return self._first[name].unlike(values[f"{name}.{self.contract.state[name].type}"], kind)

    def _refused(self, name: str, reason: str, now_s: float) -> Refusal:
        self.watches[name].refuse(reason, now_s)
        return Refusal(reason)

    def _sample(self, name: str, values: Mapping[str, Any]) -> np.ndarray | None:
        stream = self.contract.state[name]
        if stream.type not in SAMPLED:
            return None
        names = self._names_of_sample(name)
        if any(each not in values for each in names):
            return None
        return np.concatenate([values[each] for each in names], dtype=np.float64)

    def _names_of_sample(self, name: str) -> tuple[str, ...]:
        names = self._sampled.get(name)
        if names is None:
            own = f"{self.contract.state[name].field}.wrench"
            names = self._sampled[name] = stream_names(self.contract, name) or (own,)
        return names
