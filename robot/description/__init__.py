"""Frozen descriptions of robots, observations, actions and policies, and the protocols they meet in."""

from robot.description.action import ACTION_KINDS, ActionField, ActionSpec
from robot.description.chunk import ActionChunk
from robot.description.comparison import differences, require_match
from robot.description.decision import DecidingPolicy, Decision, FeaturePolicy, Query, decide, with_features
from robot.description.embodiment import EmbodimentSpec
from robot.description.observation import OBSERVATION_KINDS, History, ObservationField, ObservationSpec
from robot.description.prompt import PromptSpec, Task, TaskPrompt
from robot.description.protocols import ConnectedRobot, Critic, Observation, Policy, Robot
from robot.description.record import fingerprint, from_json, to_json
from robot.description.robot import Coupling, JointGroup, Payload, RobotSpec
from robot.description.specs import CriticBase, CriticSpec, PolicySpec, SamplerSpec

__all__ = [
    "ConnectedRobot",
    "ACTION_KINDS",
    "OBSERVATION_KINDS",
    "ActionChunk",
    "ActionField",
    "ActionSpec",
    "Coupling",
    "Critic",
    "CriticBase",
    "CriticSpec",
    "DecidingPolicy",
    "Decision",
    "EmbodimentSpec",
    "FeaturePolicy",
    "History",
    "JointGroup",
    "Observation",
    "ObservationField",
    "ObservationSpec",
    "Payload",
    "Policy",
    "PolicySpec",
    "PromptSpec",
    "Query",
    "Robot",
    "RobotSpec",
    "SamplerSpec",
    "Task",
    "TaskPrompt",
    "decide",
    "differences",
    "fingerprint",
    "from_json",
    "require_match",
    "to_json",
    "with_features",
]
