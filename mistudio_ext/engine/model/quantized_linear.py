"""Linear layers that keep their weight in few bits and compute in floating point.

Every format computes the same way on every processor: the weight is dequantised by elementwise
operations of torch, and multiplied by torch's own ``linear`` in the dtype of the input. Nothing is
chosen by the instruction set, by the layer's shape or by the other samples of a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D


class QuantizedLinear(nn.Module, ABC):
    """A linear layer whose weight is dequantised whenever it is used.

    Parameters
    ----------
    shape
        ``(out_features, in_features)``.
    bias
        ``[out_features]`` or None.
    dtype
        Of :attr:`weight`: what the model computes in.

    Attributes
    ----------
    bits
        Bits of a stored weight, without its scales.
    """

    bits: int

    def __init__(self, shape: tuple[int, int], bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.out_features, self.in_features = shape
        self._dtype = dtype
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    @abstractmethod
    def dequantised(self, dtype: torch.dtype) -> Tensor:
        """Return the weight as the layer sees it, ``[out_features, in_features]``."""

    @property
    def weight(self) -> Tensor:
        """The dequantised weight, for models that read it themselves (Mamba, attention modules)."""
        return self.dequantised(self._dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x · weightᵀ + bias``, ``[…, out_features]``."""
        return functional.linear(x, self.dequantised(x.dtype), self.bias)

    def extra_repr(self) -> str:
        """Say in a layer tree what this is."""
        size = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{size}, bits={self.bits}"


def quantizable_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return by path the layers that q8, q4 and q2 shrink.

    They are linear layers and GPT-2's ``Conv1D``, but neither the output embedding, nor a weight
    that two modules share, nor what the model's class wants in float32: the choice of
    transformers. A class derived from ``nn.Linear`` (Falcon's) counts if it computes what one
    does; transformers leaves all of them as they are.

    Parameters
    ----------
    model
        A transformers model before its layers are replaced; one on the meta device will do.
    """
    from transformers.quantizers.base import HfQuantizer
    from transformers.quantizers.quantizers_utils import should_convert_module

    in_fp32 = getattr(model, "_keep_in_fp32_modules", None)
    whole = HfQuantizer.get_modules_to_not_convert(
        model,  # type: ignore[arg-type]
        None,
        list(in_fp32) if in_fp32 else None,
    )
    return {
        path: module
        for path, module in model.named_modules()
        if _acts_linear(module) and should_convert_module(path, whole)
    }


def shape_of(layer: nn.Module) -> tuple[int, int]:
    """Return ``(out_features, in_features)`` of a linear layer or a ``Conv1D``."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    rows, columns = weight.shape
    # GPT-2's Conv1D stores its weight the other way round.
    return (columns, rows) if isinstance(layer, Conv1D) else (rows, columns)


def _acts_linear(module: nn.Module) -> bool:
    if isinstance(module, Conv1D):
        return True
    kind: Any = type(module)
    return isinstance(module, nn.Linear) and is_linear(kind)


@cache
def is_linear(kind: Any) -> bool:
    """Tell whether a class derived from ``nn.Linear`` computes ``x · weightᵀ + bias``."""
    if kind.forward is nn.Linear.forward:
        return True
    layer = kind.__new__(kind)
    layer.__dict__.update(nn.Linear(5, 3).__dict__)
    x = torch.linspace(-1, 1, 20).reshape(2, 2, 5)
    try:
        found = layer(x)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError):
        return False  # What it needs is not known: it is left alone.
    plain = functional.linear(x, layer.weight, layer.bias)
    return isinstance(found, Tensor) and found.shape == plain.shape and torch.allclose(found, plain)
