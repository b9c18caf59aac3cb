"""Encoders of observations, key -> (B, steps, ...), and of prompts: together one condition (B, C)."""

from policies.encoders.camera import CameraEncoder
from policies.encoders.cnn import SmallCNN
from policies.encoders.prompt import PROMPTS, PromptEncoder, make_prompt_encoder
from policies.encoders.registry import ENCODERS, make_encoder
from policies.encoders.resnet import ResNet18
from policies.encoders.state import StateEncoder

__all__ = [
    "ENCODERS",
    "PROMPTS",
    "CameraEncoder",
    "PromptEncoder",
    "ResNet18",
    "SmallCNN",
    "StateEncoder",
    "make_encoder",
    "make_prompt_encoder",
]
