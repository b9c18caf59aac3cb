"""A linear layer that takes the quicker of the two matrix products that PyTorch carries for CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# MKL, which PyTorch calls for float32, runs at half of what the cores of other makers than Intel can do; oneDNN, which
# it carries for convolutions, does not. Below a few rows the product is bound by memory and calling MKL costs less.
FEWEST_ROWS = 3
ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None


class Linear(nn.Linear):
    """`nn.Linear`, twice as fast in float32 on some CPUs, forwards and backwards; elsewhere the very same."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., I) to (..., O)."""
        if takes_onednn(x, self.weight):
            if not torch.is_grad_enabled():  # the same product; the 110 of a decision cost 1.5 ms less so
                return ONEDNN(x, self.weight, self.bias, "none", [], "")
            return _OneDnnLinear.apply(x, self.weight, self.bias)
        return functional.linear(x, self.weight, self.bias)


def takes_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN can be called for x (..., I), and is worth it."""
    if ONEDNN is None or x.device.type != "cpu" or not x.dtype == weight.dtype == torch.float32:
        return False
    if x.numel() < FEWEST_ROWS * x.shape[-1] or torch.is_autocast_enabled("cpu"):
        return False
    return not (torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling())


class _OneDnnLinear(torch.autograd.Function):
    """x (..., I), weight (O, I) and bias (O,) to x weight^T + bias; its derivatives are products of the same kind."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return ONEDNN(x, weight, bias, "none", [], "")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        flat_gradient, flat_x = gradient.flatten(0, -2), x.flatten(0, -2)
        need_x, need_weight, need_bias = ctx.needs_input_grad
        return (
            _OneDnnLinear.apply(gradient, weight.t(), None) if need_x else None,
            _OneDnnLinear.apply(flat_gradient.t(), flat_x.t(), None) if need_weight else None,
            flat_gradient.sum(dim=0) if need_bias else None,
        )
