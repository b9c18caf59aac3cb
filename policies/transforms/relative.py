"""Actions relative to the robot's present state, so that what a policy learns moves with the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Mapping

import torch
from torch import Tensor

from policies.transforms.transform import Tensors, Transform, newest, require_fields
from robot.description import ActionSpec, ObservationField, ObservationSpec
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True)
class Reference:
    """Where the present value of an action field is observed.

    Args:
        key: of the observation; one axis.
        start: its first component there.
    """

    key: str
    start: Annotated[int, Range(0, 1_000_000)] = 0


@dataclass(frozen=True)
class RelativeAction(Transform):
    """Chosen action fields as differences from their newest observed value: joints, widths, positions.

        action_relative = action - newest, in the unit of the field

    Args:
        references: action field -> where its present value is observed.
    """

    references: Mapping[str, Reference]

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs, unchanged.

        Raises:
            InputError: no such field or key, or a key with more axes than one or too few components.
        """
        require_fields("relative_action", action, tuple(self.references))
        for name, reference in self.references.items():
            needed = reference.start + next(one.size for one in action.fields if one.name == name)
            key = observation[reference.key]
            if len(key.shape) != 1 or key.shape[0] < needed:
                raise InputError(
                    f"relative_action: reference '{key.name}' of '{name}'",
                    expected=f"one axis of at least {needed}",
                    got=str(key.shape),
                )
        return observation, action

    def forward_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {
            **action,
            **{name: action[name] - self._present(name, action[name], observation) for name in self.references},
        }

    def inverse_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {
            **action,
            **{name: action[name] + self._present(name, action[name], observation) for name in self.references},
        }

    def _present(self, name: str, action: Tensor, observation: Tensors) -> Tensor:
        reference = self.references[name]
        return newest(observation[reference.key], action)[..., reference.start : reference.start + action.shape[-1]]


@dataclass(frozen=True)
class RelativePose(Transform):
    """Pose targets, and optionally the observed past, in the frame of the tool at the newest observation.

    T_relative = T_newest^-1 T, the relative trajectory of UMI (Chi et al. 2024, section IV-B).

    Args:
        position, rotation: names of the pose, the same in actions and observation (size 3, and 6 in the 6-D form).
        observed_past: also express the observed poses so; the newest one then always is the identity.
    """

    position: str = "tcp.position"
    rotation: str = "tcp.rotation"
    observed_past: bool = False

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs, unchanged.

        Raises:
            InputError: a name that is not in both, another size than 3 (position) and 6 (rotation), or, for the
                observed past, two different histories.
        """
        require_fields("relative_pose", action, (self.position, self.rotation))
        sizes = {one.name: one.size for one in action.fields}
        for name, size in ((self.position, 3), (self.rotation, 6)):
            self._check(name, size, sizes[name], observation[name])
        steps = {observation[name].history for name in (self.position, self.rotation)}
        if self.observed_past and len(steps) > 1:
            raise InputError(
                "relative_pose", expected=f"one history for {self.position} and {self.rotation}", got="different ones"
            )
        return observation, action

    @staticmethod
    def _check(name: str, size: int, action_size: int, key: ObservationField) -> None:
        if action_size != size or key.shape != (size,):
            raise InputError(
                f"relative_pose: '{name}'",
                expected=f"size {size} in actions and observation",
                got=f"{action_size} and {key.shape}",
            )

    def forward_observation(self, observation: Tensors) -> Tensors:
        if not self.observed_past:
            return observation
        return {**observation, **self._relative(observation, observation)}

    def forward_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {**action, **self._relative(action, observation)}

    def inverse_action(self, action: Tensors, observation: Tensors) -> Tensors:
        origin, frame = self._newest(action[self.position], observation)
        position = (frame @ action[self.position][..., None])[..., 0] + origin
        rotation = frame @ matrix_from_6d(action[self.rotation])
        return {**action, self.position: position, self.rotation: rotation_6d_from_matrix(rotation)}

    def _relative(self, pose: Tensors, observation: Tensors) -> dict[str, Tensor]:
        origin, frame = self._newest(pose[self.position], observation)
        inverse = frame.transpose(-1, -2)
        position = (inverse @ (pose[self.position] - origin)[..., None])[..., 0]
        rotation = inverse @ matrix_from_6d(pose[self.rotation])
        return {self.position: position, self.rotation: rotation_6d_from_matrix(rotation)}

    def _newest(self, beside: Tensor, observation: Tensors) -> tuple[Tensor, Tensor]:
        """Origin (batch, ..., 3) and axes (batch, ..., 3, 3) of the tool now."""
        origin = newest(observation[self.position], beside)
        return origin, matrix_from_6d(newest(observation[self.rotation], beside))


def matrix_from_6d(rotation_6d: Tensor) -> Tensor:
    """(..., 6) to (..., 3, 3), as `robot.control.rotation.matrix_from_6d` does for arrays."""
    x = torch.nn.functional.normalize(rotation_6d[..., :3], dim=-1)
    second = rotation_6d[..., 3:]
    y = torch.nn.functional.normalize(second - (x * second).sum(dim=-1, keepdim=True) * x, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=-1)


def rotation_6d_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) to (..., 6): the first two columns."""
    return torch.cat((matrix[..., :, 0], matrix[..., :, 1]), dim=-1)
