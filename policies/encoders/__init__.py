"""Encoders of observations, key -> (B, steps, ...), and of prompts: together one condition (B, C)."""

from policies.encoders.camera import CameraEncoder
from policies.encoders.cnn import SmallCNN
from policies.encoders.language import LanguagePrompt
from policies.encoders.prompt import PromptEncoder
from policies.encoders.registry import ENCODERS, PROMPTS, make_encoder, make_prompt_encoder
from policies.encoders.resnet import ResNet18
from policies.encoders.state import StateEncoder

__all__ = [
    "ENCODERS",
    "PROMPTS",
    "CameraEncoder",
    "LanguagePrompt",
    "PromptEncoder",
    "ResNet18",
    "SmallCNN",
    "StateEncoder",
    "make_encoder",
    "make_prompt_encoder",
]
