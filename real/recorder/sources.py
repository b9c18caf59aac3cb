"""The streams of a contract as a recorder reads them: watched, their pictures as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

import numpy as np

from data.store.images.encoding import AS_IT_CAME, PNG, Encoding
from real.recorder.stream_watch import StreamWatch
from real.ros.packed import read_header
from real.ros.reading import EpisodeNotice, Refusal
from real.ros.repeated import Unpacker
from real.ros.streams import read_image, read_stream, state_type
from real.ros.unpacking import unpacked
from robot.contract.contract import CAMERA_TYPES, Contract
from robot.contract.loading import describe
from robot.contract.names import stream_names
from robot.control.observation.recordable import recordable
from robot.control.observation.streams import stream_readers
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError, nearest

HEADER = 17  # bytes of a message up to the text of its frame, and the zero that ends it
UNDECODED = (AS_IT_CAME, PNG)
JPEG = b"\xff\xd8"
SAMPLED = ("joint_state", "pose", "wrench")
UNWATCHED = ("driver_state",)


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
        self._readers = stream_readers(contract)
        self._sampled: dict[str, tuple[str, ...]] = {}  # names of the numbers of a sample
        self._unpackers = {name: Unpacker(self.message_type(name)) for name in self.names}
        self.watches = {name: self._watch(name) for name in self.names}
        self._first: dict[str, tuple[tuple[int, ...], bool]] = {}  # shape of a camera's pictures, and whether JPEG
        self._encodings: Mapping[str, Encoding] = {}

    def _watch(self, name: str) -> StreamWatch:
        stream = self.contract.state[name]
        sensor = stream.type in CAMERA_TYPES and self.contract.plant == "robot"
        return StreamWatch(name, stream.rate_hz, stream.ages(self.contract.staleness), sensor=sensor)

    def message_type(self, name: str) -> type:
        return state_type(self.contract.state[name])

    def note(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Refusal | None:
        """Watch a message without reading it; why it cannot be recorded, or None."""
        watch = self.watches[name]
        header = read_header(packed) if self.contract.state[name].type != "vector" else (now_ns, "")
        if isinstance(header, Refusal):
            watch.refuse(header.reason, now_s)
            return header
        stamp_ns, frame = header
        content = memoryview(packed)[HEADER + len(frame) :] if watch.sensor else b""
        problem = watch.came(stamp_ns, now_ns, now_s, content)
        if problem:
            return Refusal(problem)
        if name in self.cameras and name not in self._first:
            return self._look(name, packed, now_s)
        return None

    def read(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Measurement | Refusal:
        """Read a message that was noted."""
        stream, watch = self.contract.state[name], self.watches[name]
        message = self._unpackers[name](packed)
        if isinstance(message, Refusal):
            watch.refuse(message.reason, now_s)
            return message
        encoding = self._encodings.get(f"{name}.{stream.type}")
        try:
            values, stamp_ns = read_stream(
                self.contract,
                self._description,
                self._readers,
                name,
                message,
                decode=encoding is None or encoding.kind not in UNDECODED,
                received_ns=now_ns,
            )
        except InputError as error:
            watch.refuse(str(error), now_s)
            return Refusal(str(error))
        return Measurement(values, stamp_ns, self._sample(name, values))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Streams that must be seen once before a store can be made: cameras without a picture."""
        return tuple(name for name in self.cameras if name not in self._first)

    def observation(self, notice: EpisodeNotice | None) -> tuple[ObservationSpec, dict[str, Encoding]]:
        """The keys of a row and how its pictures are stored: what the task of a twin measures, else all that the
        contract carries; and the cameras.
        """
        if notice is not None and notice.observation is not None:
            fields = [field for field in notice.observation if not field.is_image]
        else:
            sizes = {name: shape[:2] for name, (shape, _) in self._first.items()}
            own = recordable(self.contract, self._description, sizes=sizes)
            fields = [field for field in own if not field.is_image]
        encodings = {}
        for name in self.cameras:
            stream = self.contract.state[name]
            shape, is_jpeg = self._first[name]
            key = f"{name}.{stream.type}"
            colour = stream.type == "image"
            fields.append(
                ObservationField(key, shape, "uint8" if colour else "uint16", "1" if colour else "mm", stream.type)
            )
            kind = stream.stored_as
            if kind == AS_IT_CAME and not is_jpeg and not stream.encoding:
                kind = PNG  # the bytes that came are none that could be stored so
            encodings[key] = Encoding(kind)
        self._encodings = encodings
        return ObservationSpec(tuple(fields)), encodings

    def _look(self, name: str, packed: bytes, now_s: float) -> Refusal | None:
        """Learn the size of a camera's pictures from its first one."""
        stream = self.contract.state[name]
        message = unpacked(packed, state_type(stream))
        try:
            if isinstance(message, Refusal):
                raise InputError(name, got=message.reason)
            picture = read_image(message)
        except InputError as error:
            self.watches[name].refuse(str(error), now_s)
            return Refusal(str(error))
        shape = picture.shape if stream.type == "depth" or picture.ndim == 3 else (*picture.shape, 3)
        if stream.size and shape[:2] != tuple(stream.size):
            reason = f"pictures of {shape[1]} x {shape[0]}, the contract says {stream.size[1]} x {stream.size[0]}"
            self.watches[name].refuse(reason, now_s)
            return Refusal(reason)
        is_jpeg = stream.compressed and bytes(message.data[:2]) == JPEG
        self._first[name] = shape, is_jpeg
        return None

    def _sample(self, name: str, values: Mapping[str, Any]) -> np.ndarray | None:
        stream = self.contract.state[name]
        if stream.type not in SAMPLED:
            return None
        names = self._sampled.get(name)
        if names is None:
            names = self._sampled[name] = stream_names(self.contract, name) or (f"{stream.field}.wrench",)
        if any(each not in values for each in names):
            return None
        return np.concatenate([values[each] for each in names], dtype=np.float64)
