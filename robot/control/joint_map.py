"""The map between joints on the wire and ours: the one place for names, order, signs, offsets, scales and mimics."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

import numpy as np

from robot.contract.contract import MappedJoint
from robot.errors import InputError


class JointMap:
    """The joints of one topic: `ours = sign * scale * wire + offset`, by name, or by index in the map's order.

    Args:
        joints: as a contract has them, in the order of a wire without names.

    Attributes:
        ours: (n,) our names, those that are read, in the map's order.
        wire: (m,) names on the wire, mimics included, in its order.
    """

    def __init__(self, joints: Sequence[MappedJoint]) -> None:
        self.joints = tuple(joints)
        self.ours = tuple(joint.name for joint in joints if not joint.mimic)
        self.wire = tuple(joint.ros for joint in joints)
        factor = np.array([joint.sign * joint.scale for joint in joints])
        offset = np.array([joint.offset for joint in joints])
        self._read_from = np.array([index for index, joint in enumerate(joints) if not joint.mimic], dtype=np.intp)
        self._written_from = np.array([self.ours.index(joint.name) for joint in joints], dtype=np.intp)
        self._write_factor, self._write_offset = factor, offset
        self._order: tuple[str, ...] = ()
        self._indices: list[tuple[MappedJoint, int]] = []
        self._read_factor, self._read_offset = factor[self._read_from], offset[self._read_from]

    def to_wire(self, ours: np.ndarray) -> np.ndarray:
        """Positions in our order and units (..., n) to the wire's (..., m); mimics get their leader's target."""
        return (np.asarray(ours)[..., self._written_from] - self._write_offset) / self._write_factor

    def from_wire(self, wire: np.ndarray) -> np.ndarray:
        """Positions in the wire's order (..., m) to ours (..., n); mimics are not read."""
        return np.asarray(wire)[..., self._read_from] * self._read_factor + self._read_offset

    def rates_to_wire(self, ours: np.ndarray) -> np.ndarray:
        """Velocities (..., n), which no offset moves, to the wire's (..., m)."""
        return np.asarray(ours)[..., self._written_from] / self._write_factor

    def rates_from_wire(self, wire: np.ndarray) -> np.ndarray:
        """Velocities (..., m) of the wire to ours (..., n)."""
        return np.asarray(wire)[..., self._read_from] * self._read_factor

    def read(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """The values of a message by our names, whatever the order of its names.

        Args:
            names: on the wire; those of other maps are left alone.
            values: (len(names),), or (k, len(names)) of k messages.

        Returns:
            our name -> (1,) or (k, 1) float64. A joint that the message lacks, or has twice, is left out: which of two
            is meant is unknown.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim > 1:
            return {
                joint.name: joint.sign * joint.scale * numbers[:, index : index + 1] + joint.offset
                for joint, index in self._indexed(names)
            }
        single = numbers.tolist()
        return {
            joint.name: np.array([joint.sign * joint.scale * single[index] + joint.offset])
            for joint, index in self._indexed(names)
        }

    def unscaled(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """Values of a message, such as efforts, by our names: as on the wire, without sign, scale or offset."""
        numbers = np.asarray(values, dtype=np.float64).tolist()
        return {joint.name: np.array([numbers[index]]) for joint, index in self._indexed(names)}

    def rates(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """Velocities of a message by our names, (1,) each, in our units: no offset moves them."""
        numbers = np.asarray(values, dtype=np.float64).tolist()
        return {
            joint.name: np.array([joint.sign * joint.scale * numbers[index]]) for joint, index in self._indexed(names)
        }

    def signed(self, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
        """Efforts of a message by our names, (1,) each, turning our way. The scale is one of positions: what unit an
        effort has it does not say.
        """
        numbers = np.asarray(values, dtype=np.float64).tolist()
        return {joint.name: np.array([joint.sign * numbers[index]]) for joint, index in self._indexed(names)}

    def spread(self, ours: np.ndarray) -> np.ndarray:
        """Numbers in our order (..., n), unscaled, to the wire's (..., m); mimics have their leader's."""
        return np.asarray(ours)[..., self._written_from]

    def _indexed(self, names: Sequence[str]) -> list[tuple[MappedJoint, int]]:
        """The joints that a message has once, with their indices."""
        if names != self._order:  # a driver keeps its order: it is looked up once
            self._order = tuple(names)
            self._indices = [
                (joint, names.index(joint.ros))
                for joint in self.joints
                if not joint.mimic and names.count(joint.ros) == 1
            ]
        return self._indices

    def write(self, values: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
        """Names and positions (m,) of a message for `values`: our name -> one number."""
        ours = np.array([np.ravel(values[name])[0] for name in self.ours])
        return self.wire, self.to_wire(ours)

    def require(self, names: Iterable[str], *, thing: str) -> None:
        """Refuse a message that lacks one of the joints that are read, or has one twice; order and others are free.

        Args:
            names: of the message.
            thing: what the error names, for example a topic.

        Raises:
            InputError: with all of them at once.
        """
        names = list(names)
        needed = [joint.ros for joint in self.joints if not joint.mimic]
        problems = [f"no {name}" for name in needed if name not in names]
        problems += [f"{name} {names.count(name)} times" for name in needed if names.count(name) > 1]
        if problems:
            raise InputError(
                f"{thing}: joints",
                expected=f"each once: {', '.join(needed)}",
                got=", ".join(problems),
                way_out=f"The message has {', '.join(names) or 'no names'}; names on the wire are `ros` "
                "in the contract's maps",
            )

    def require_order(self, names: Iterable[str], *, thing: str) -> None:
        """Refuse a wire without names whose controller is set to another order than the map's.

        Args:
            names: joints of the controller, in its order.
            thing: what the error names, for example the controller.

        Raises:
            InputError: with the first index at which they differ.
        """
        names = tuple(names)
        if names != self.wire:
            pairs = zip((*self.wire, "nothing"), (*names, "nothing"))
            index, (ours, theirs) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            raise InputError(
                f"{thing}: order of joints",
                expected=f"'{ours}' in place {index}",
                got=f"'{theirs}'",
                way_out=f"The map has {', '.join(self.wire)}; the controller has {', '.join(names)}",
            )
