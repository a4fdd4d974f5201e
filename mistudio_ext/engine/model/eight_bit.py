"""Q8: linear layers in int8 with a scale for each row, computed without bitsandbytes' kernels.

bitsandbytes quantises the weights; its LLM.int8 then quantises the activations too, and leaves out
of that the columns in which any sample of the batch has an outlier. So what it computes of one
sample depends on the others. Here activations stay as they are: a sample's values are its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mistudio_ext.engine.model.quantized_linear import QuantizedLinear

#: The largest level.
LEVELS = 127


class EightBitLinear(QuantizedLinear):
    """A linear layer whose weight is kept in int8.

    Parameters
    ----------
    levels
        int8 ``[out_features, in_features]``.
    largest
        float32 ``[out_features]``: the largest magnitude of each row.
    bias
        ``[out_features]`` or None.
    dtype
        What the model computes in.

    Attributes
    ----------
    levels
        As given.
    scale
        float32 ``[out_features, 1]``: ``largest / 127``.
    """

    bits = 8
    levels: Tensor
    scale: Tensor

    def __init__(
        self, levels: Tensor, largest: Tensor, bias: Tensor | None, dtype: torch.dtype
    ) -> None:
        rows, columns = levels.shape
        super().__init__((rows, columns), bias, dtype)
        self.register_buffer("levels", levels.detach())
        self.register_buffer("scale", largest.detach().float().reshape(-1, 1) / LEVELS)

    def dequantised(self, dtype: torch.dtype) -> Tensor:
        """Return the weight, ``[out_features, in_features]``; computed in float32."""
        return self.levels.float().mul_(self.scale).to(dtype)
