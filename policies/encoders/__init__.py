"""Encoders of observations: key -> (B, steps, ...) to one condition (B, C)."""

from policies.encoders.camera import CameraEncoder
from policies.encoders.cnn import SmallCNN
from policies.encoders.registry import ENCODERS, make_encoder
from policies.encoders.resnet import ResNet18
from policies.encoders.state import StateEncoder

__all__ = ["ENCODERS", "CameraEncoder", "ResNet18", "SmallCNN", "StateEncoder", "make_encoder"]
