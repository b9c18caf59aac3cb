"""Transforms between raw data and what a network learns, with an inverse for actions."""

from policies.transforms.angle import SineCosine
from policies.transforms.chain import TRANSFORMS, TransformChain, make_chain
from policies.transforms.companded import Companded
from policies.transforms.image import ResizeImages
from policies.transforms.relative import Reference, RelativeAction, RelativePose
from policies.transforms.transform import Tensors, Transform

__all__ = [
    "TRANSFORMS",
    "Companded",
    "Reference",
    "RelativeAction",
    "RelativePose",
    "ResizeImages",
    "SineCosine",
    "Tensors",
    "Transform",
    "TransformChain",
    "make_chain",
]
