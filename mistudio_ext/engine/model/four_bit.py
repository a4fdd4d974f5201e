"""Q4: linear layers in bitsandbytes' 4-bit formats (NF4, FP4), computed without its kernels.

bitsandbytes quantises the weights and defines what is stored. What it computes with depends on the
processor: with AVX-512 BF16 it packs the weights anew at the first pass, which fails for some
shapes and computes in bfloat16. So the stored weights are dequantised here, bit for bit as
``bitsandbytes.functional.dequantize_4bit`` does it in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mistudio_ext.engine.model.quantized_linear import QuantizedLinear

#: Levels of absmax values in a block of bitsandbytes' double quantisation.
NESTED_BLOCK = 256
#: Neighbouring weights that share an absmax.
BLOCK = 64


class FourBitLinear(QuantizedLinear):
    """A linear layer whose weight is kept in 4 bits.

    Parameters
    ----------
    packed
        uint8, any shape: two weights in a byte, the first in the high bits, row after row.
    state
        bitsandbytes' ``QuantState`` of the weight.
    bias
        ``[out_features]`` or None.
    dtype
        What the model computes in.

    Attributes
    ----------
    packed
        uint8 ``[(out_features * in_features + 1) // 2]``.
    absmax
        The largest magnitude of each block: float32, or uint8 if quantised a second time.
    code
        float32 ``[16]``: the levels.
    nested_absmax, nested_code, offset
        float32, of the second quantisation; None without one.
    """

    bits = 4
    packed: Tensor
    absmax: Tensor
    code: Tensor
    nested_absmax: Tensor | None
    nested_code: Tensor | None
    offset: Tensor | None

    def __init__(self, packed: Tensor, state: Any, bias: Tensor | None, dtype: torch.dtype) -> None:
        rows, columns = state.shape
        super().__init__((rows, columns), bias, dtype)
        nested = state.state2 if state.nested else None
        self._block = int(state.blocksize)
        self._nested_block = int(nested.blocksize) if nested is not None else 0
        self.register_buffer("packed", packed.detach().contiguous().view(torch.uint8).reshape(-1))
        self.register_buffer("absmax", state.absmax)
        self.register_buffer("code", state.code)
        self.register_buffer("nested_absmax", None if nested is None else nested.absmax)
        self.register_buffer("nested_code", None if nested is None else nested.code)
        self.register_buffer("offset", None if nested is None else state.offset)

    def dequantised(self, dtype: torch.dtype) -> Tensor:
        """Return the weight, ``[out_features, in_features]``; computed in float32."""
        # One look-up gives both weights of a byte.
        pair = torch.arange(256, device=self.code.device)
        pairs = self.code.float()[torch.stack([pair >> 4, pair & 15], dim=1)]
        flat = pairs.index_select(0, self.packed.to(torch.int32)).reshape(-1)
        flat = flat[: self.out_features * self.in_features]
        _scale_blocks(flat, self._absmax(), self._block)
        return flat.reshape(self.out_features, self.in_features).to(dtype)

    def _absmax(self) -> Tensor:
        """Return the largest magnitude of each block, float32."""
        if self.nested_absmax is None or self.nested_code is None or self.offset is None:
            return self.absmax.float()
        found = self.nested_code.float().index_select(0, self.absmax.reshape(-1).to(torch.int32))
        _scale_blocks(found, self.nested_absmax.float(), self._nested_block)
        return found + self.offset


def _scale_blocks(flat: Tensor, scale: Tensor, block: int) -> None:
    """Multiply each block of a flat tensor by its scale, in place; the last may be short."""
    whole = flat.numel() // block
    flat[: whole * block].view(whole, block).mul_(scale.reshape(-1)[:whole].unsqueeze(1))
    if flat.numel() > whole * block:
        flat[whole * block :].mul_(scale.reshape(-1)[whole])
