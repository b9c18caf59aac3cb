"""Messages that nobody means, for every subscription of a node: sound ones changed in any field, and any bytes."""

from __future__ import annotations

import json
import struct
import time
from array import array
from collections import deque
from contextlib import contextmanager
from io import BytesIO
from itertools import count
from typing import Any, Callable, Iterator, Sequence, TypeVar

import numpy as np
from rclpy.serialization import serialize_message
from rosidl_parser.definition import AbstractNestedType, AbstractString, Array, BasicType, NamespacedType

from real.recorder.incoming.arrivals import Arrivals

INTEGERS = {
    "boolean": (0, 1),
    "octet": (0, 255),
    "char": (0, 255),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 2**16 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint32": (0, 2**32 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint64": (0, 2**64 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
REALS = (np.nan, np.inf, -np.inf, 1e308, -1e308, -0.0, 5e-324, 1e-160, 1.0, -1.0, 1e9, 0.45)
TEXTS = (
    "",
    "é/1/2",
    "a/1/2/3/0.5",
    "a/1/--5",
    "a/--1/2",
    "٣/٣/٣",
    "a/1/" + "9" * 5000,
    "a/1/2/3/nan",
    "a/1/2/3/1e999",
    "x" * 5000,
    "epoch 3",
    "epoch ٣",
    "epoch --3",
    "epoch " + "9" * 5000,
    "12 a/3",
    "--5 a/3",
    "9" * 30,
    "٣ a",
    "[" * 15000,
    '{"a":' * 3000,
    "{}",
    "[]",
    "null",
    "NaN",
    '"',
    "1e999",
    "{" + '"epoch":1,' * 900 + '"seed":1}',
    '{"epoch": 1, "seed": 2}',
    '{"epoch": -1, "seed": 2}',
    '{"epoch": 1e999, "seed": 2}',
    '{"epoch": true, "seed": 2}',
    '{"epoch": NaN, "seed": 2}',
    '{"epoch": ' + "9" * 5000 + ', "seed": 1}',
    '{"epoch": 9223372036854775808, "seed": 1}',
    '{"epoch": 3, "seed": "2"}',
    '{"epoch": 3, "seed": 4, "instruction": "\\ud800"}',
    '{"epoch": 3, "seed": 4, "instruction": "\\u0000a"}',
    '{"epoch": 3, "seed": 4, "instruction": 7}',
    '{"epoch": 4, "seed": 9223372036854775807, "max_steps": null, "instruction": "go"}',
    '{"epoch": 5, "seed": 4, "max_steps": 1e3}',
    '{"epoch": [1], "seed": {}}',
    "run policy",
    "fault latched",
    "run",
    "\x1b[2J\x07",
    "a\nb",
    "hold no_chunk",
    "policy|1||",
    "policy|" + "9" * 5000,
    "policy|--1",
    "rgb8",
    "16UC1",
    "jpeg",
    "--5",
    "9" * 5000,
    "--5 3/4",
    "9" * 5000 + " 3/4",
    "tcp.position.0",
    "tcp.position.٣",
    "tcp.position." + "9" * 5000,
    "joint1",
    "success",
    "gate",
    "count_x",
)
Node = TypeVar("Node", bound=Any)


class Fuzzer:
    """Draws messages for topics.

    Args:
        seed: of what is drawn.
        sound: topic -> messages that are all right there, which are changed.
    """

    def __init__(self, seed: int, sound: dict[str, Sequence[Any]] | None = None) -> None:
        self._random, self._sound = np.random.default_rng(seed), sound or {}

    def draw(self, kind: type, topic: str = "") -> bytes:
        """One message for a topic, as bytes."""
        ways = (self._changed, self._changed, self._reworded, self._reworded, self._cut, self._garbage, self._lied)
        sound = self._sound.get(topic, ())
        message = (
            self.copied(sound[self._random.integers(len(sound))])
            if len(sound) and self._random.random() < 0.8
            else self._made(kind, 0)
        )
        return ways[self._random.integers(len(ways))](message)

    def copied(self, message: Any) -> Any:
        """A message that can be changed without its origin."""
        from rclpy.serialization import deserialize_message

        return deserialize_message(serialize_message(message), type(message))

    def _changed(self, message: Any) -> bytes:
        for _ in range(self._random.integers(1, 4)):
            self._change(message)
        return serialize_message(message)

    def _reworded(self, message: Any) -> bytes:
        """All is as it was but a text or two."""
        places = _texts(message)
        for _ in range(self._random.integers(1, 3) if places else 0):
            holder, name, place = places[self._random.integers(len(places))]
            text = self._value_of_text()
            if place is None:
                setattr(holder, name, text)
            else:
                getattr(holder, name)[place] = text
        return serialize_message(message)

    def _cut(self, message: Any) -> bytes:
        packed = serialize_message(message)
        return packed[: self._random.integers(len(packed) + 1)]

    def _garbage(self, message: Any) -> bytes:
        size = int(self._random.choice([0, 1, 3, 4, 8, 40, 300, 70_000], p=[0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.19, 0.01]))
        packed = bytearray(self._random.integers(0, 256, size, dtype=np.uint8).tobytes())
        if size >= 4 and self._random.random() < 0.7:
            packed[:4] = b"\x00\x01\x00\x00"
        return bytes(packed)

    def _lied(self, message: Any) -> bytes:
        """Bytes that were changed, lost or added, lengths among them."""
        packed = bytearray(serialize_message(message))
        way, place = self._random.integers(4), int(self._random.integers(len(packed)))
        if way == 0:
            packed[place] = int(self._random.integers(256))
        elif way == 1:
            place -= place % 4
            packed[place : place + 4] = struct.pack(
                "<I", int(self._random.choice([0, 1, 2, 255, 65536, 200_000, 2**28, 2**31 - 1, 2**31, 2**32 - 1]))
            )
        elif way == 2:
            del packed[place : place + int(self._random.integers(1, 9))]
        else:
            size = int(self._random.integers(1, 9))
            packed[place:place] = self._random.integers(0, 256, size, dtype=np.uint8).tobytes()
        return bytes(packed)

    # -- objects ------------------------------------------------------------------------------------------------------

    def _made(self, kind: type, depth: int) -> Any:
        message = kind()
        for name, slot in _slots(message):
            if self._random.random() < 0.7:
                setattr(message, name, self._value(slot, depth))
        return message

    def _change(self, message: Any) -> None:
        """Change a field of a message, or of one within it."""
        slots = _slots(message)
        if not slots:
            return
        name, slot = slots[self._random.integers(len(slots))]
        value = getattr(message, name)
        if isinstance(slot, NamespacedType):
            self._change(value)
        elif isinstance(slot, AbstractNestedType) and not isinstance(slot, Array):
            setattr(message, name, self._reordered(slot, value))
        else:
            setattr(message, name, self._value(slot, 0))

    def _reordered(self, slot: Any, value: Any) -> Any:
        """A sequence that was emptied, shortened, doubled, changed in an element, or made anew."""
        way, count = self._random.integers(5), len(value)
        if way == 0 or not count:
            return self._value(slot, 0)
        if way == 1:
            return value[: self._random.integers(count)]
        if way == 2:
            return value + value
        place = int(self._random.integers(count))
        if isinstance(slot.value_type, NamespacedType):
            self._change(value[place])
        else:
            value[place] = self._value(slot.value_type, 0)
        return value

    def _value(self, slot: Any, depth: int) -> Any:
        if isinstance(slot, BasicType):
            return self._number(slot.typename)
        if isinstance(slot, AbstractString):
            return self._value_of_text()
        if isinstance(slot, NamespacedType):
            from importlib import import_module

            return self._made(getattr(import_module(".".join(slot.namespaces)), slot.name), depth + 1)
        counts = [0, 1, 2, 3, 7, 10, 30] if depth == 0 else [0, 1, 2, 7]
        count = slot.size if isinstance(slot, Array) else int(self._random.choice(counts))
        inner = slot.value_type
        if isinstance(inner, BasicType) and inner.typename == "uint8":
            return array("B", self._random.integers(0, 256, count, dtype=np.uint8).tobytes())
        return [self._value(inner, depth + 1) for _ in range(count if depth < 3 else 0)]

    def _value_of_text(self) -> str:
        return str(TEXTS[self._random.integers(len(TEXTS))])

    def _number(self, name: str) -> Any:
        if name in ("float", "double"):
            drawn = float(self._random.normal()) if self._random.random() < 0.3 else float(self._random.choice(REALS))
            return drawn if name == "double" or abs(drawn) < 3e38 or not np.isfinite(drawn) else 0.0
        low, high = INTEGERS[name]
        if self._random.random() < 0.5:
            drawn = (
                int(self._random.choice([0, 1, 2]))
                if self._random.random() < 0.5
                else [low, high][int(self._random.integers(2))]
            )
        else:
            drawn = int(self._random.integers(low, high, endpoint=True, dtype=np.uint64 if high > 2**63 else np.int64))
        return bool(drawn) if name == "boolean" else bytes([drawn]) if name == "octet" else drawn


def _texts(message: Any) -> list[tuple[Any, str, int | None]]:
    """Every text of a message and of those within it: what holds it, its name, and its place in a sequence."""
    found: list[tuple[Any, str, int | None]] = []
    for name, slot in _slots(message):
        value = getattr(message, name)
        if isinstance(slot, AbstractString):
            found.append((message, name, None))
        elif isinstance(slot, NamespacedType):
            found += _texts(value)
        elif isinstance(slot, AbstractNestedType) and isinstance(slot.value_type, AbstractString):
            found += [(message, name, place) for place in range(len(value))]
        elif isinstance(slot, AbstractNestedType) and isinstance(slot.value_type, NamespacedType):
            found += [each for inner in value for each in _texts(inner)]
    return found


def _slots(message: Any) -> list[tuple[str, Any]]:
    return list(zip(message.get_fields_and_field_types(), message.SLOT_TYPES))


def subscriptions(node: Any) -> list[tuple[str, type, Callable[[bytes], None]]]:
    """Topic without the namespace, type and callback of every subscription of a node, rclpy's own among them."""
    found = [(each.topic_name.lstrip("/"), each.msg_type, each.callback) for each in node.subscriptions]
    polled = getattr(node, "_topics", None)  # of a recorder, which takes messages itself
    if polled is not None:
        found += [(topic, kind, _together(polled._called[topic])) for topic, (kind, _) in polled._wanted.items()]
    return found


def _together(called: Callable[[Arrivals], None]) -> Callable[[bytes], None]:
    """A callback for messages that come together: one alone, and now and then with those before it."""
    recent: deque[bytes] = deque(maxlen=6)
    turns = count()

    def came(packed: bytes) -> None:
        recent.append(packed)
        messages = list(recent) if next(turns) % 16 == 15 else [packed]
        now_ns, now_s, many = time.time_ns(), time.monotonic(), len(messages)
        called(Arrivals(messages, [now_ns] * many, [now_s] * many, sum(map(len, messages))))

    return came


@contextmanager
def made(make: Callable[[], Node], **parameters: object) -> Iterator[Node]:
    """A node in this process, with parameters as on the command line."""
    import rclpy

    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={json.dumps(value)}")]
    rclpy.init(args=["--ros-args", *words])
    node = None
    try:
        node = make()
        yield node
    finally:
        if node is not None:
            getattr(node, "on_stop", lambda: None)()
            node.destroy_node()
        rclpy.try_shutdown()


def jpeg(height: int, width: int) -> array[int]:
    """A grey JPEG."""
    from PIL import Image

    packed = BytesIO()
    Image.fromarray(np.full((height, width, 3), 128, dtype=np.uint8)).save(packed, "JPEG")
    return array("B", packed.getvalue())
