"""Q2: linear layers with two bits per weight, on any device that torch runs on.

A row of a weight matrix is cut into groups of 64 neighbours. Each group keeps a scale ``s``, an
offset ``m`` (float16) and a level for each weight: ``w ≈ s·q + m``, ``q ∈ {0, 1, 2, 3}``, packed
four to a byte. That is 2.5 bits per weight. ``s`` and ``m`` minimise the squared error: levels and
the line through them are fitted in turn (Lloyd's algorithm on a line; Lloyd 1982,
doi:10.1109/TIT.1982.1056489), from several starts, and the best is kept.

Embeddings, norms and the LM head stay at full width, as in bitsandbytes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from mistudio_ext.engine.model.quantized_linear import QuantizedLinear, quantizable_layers

#: Neighbouring weights of a row that share a scale and an offset.
GROUP = 64
_LEVELS = 4
#: Shares of a group's range from which the fit starts: outliers may cost the others too much.
_STARTS = (1.0, 0.85, 0.7)
_ROUNDS = 12
#: Weights that are fitted at once, which bounds the memory that it takes.
_AT_ONCE = 1 << 22


class TwoBitLinear(QuantizedLinear):
    """A linear layer whose weight is kept in two bits.

    Parameters
    ----------
    weight
        ``[out_features, in_features]``, any floating dtype.
    bias
        ``[out_features]`` or None.

    Attributes
    ----------
    packed
        uint8 ``[out_features, groups, 16]``: byte ``j`` holds the levels of the weights ``j``,
        ``j + 16``, ``j + 32`` and ``j + 48`` of its group, the first in the lowest bits.
    scale, offset
        float16 ``[out_features, groups]``.
    """

    bits = 2
    packed: Tensor
    scale: Tensor
    offset: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        rows, columns = weight.shape
        super().__init__((rows, columns), bias, weight.dtype)
        packed, scale, offset = quantise(weight.detach())
        self.register_buffer("packed", packed)
        self.register_buffer("scale", scale)
        self.register_buffer("offset", offset)

    def dequantised(self, dtype: torch.dtype) -> Tensor:
        """Return the weight as the layer sees it, ``[out_features, in_features]``."""
        levels = (self.packed.unsqueeze(-2) >> _shifts(self.packed.device)).bitwise_and_(3)
        scale, offset = self.scale.to(dtype).unsqueeze(-1), self.offset.to(dtype).unsqueeze(-1)
        weight = torch.addcmul(offset, levels.flatten(2).to(dtype), scale).flatten(1)
        return weight[:, : self.in_features]


def quantise(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``packed``, ``scale`` and ``offset`` of a weight; see :class:`TwoBitLinear`."""
    rows, columns = weight.shape
    missing = -columns % GROUP
    step = max(1, _AT_ONCE // (columns + missing))
    parts = []
    for part in torch.split(weight, step):
        # In float64, so that the order in which a processor adds decides no bit of the scales.
        wide = part.double()
        if missing:
            # The last weight again: it moves the fit of the last group least.
            wide = torch.cat([wide, wide[:, -1:].expand(-1, missing)], dim=1)
        parts.append(_fit(wide.reshape(-1, GROUP)))
    levels = torch.cat([levels for levels, _, _ in parts])
    quads = levels.reshape(rows, -1, 4, GROUP // 4) << _shifts(weight.device)
    packed = quads[..., 0, :] | quads[..., 1, :] | quads[..., 2, :] | quads[..., 3, :]
    scale = torch.cat([scale for _, scale, _ in parts]).reshape(rows, -1)
    offset = torch.cat([offset for _, _, offset in parts]).reshape(rows, -1)
    return packed.contiguous(), scale, offset


def _shifts(device: torch.device) -> Tensor:
    """Return how far to shift for each quarter of a group, uint8 ``[4, 1]``."""
    return torch.arange(0, 8, 2, dtype=torch.uint8, device=device).unsqueeze(1)


def _fit(groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return levels uint8 ``[n, 64]``, scale and offset float16 ``[n]`` of the best start."""
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    middle, half = (low + high) / 2, (high - low) / 2
    best = torch.full_like(low, torch.inf)
    scale, offset = torch.ones_like(low), torch.zeros_like(low)
    for share in _STARTS:
        s, m = _lloyd(groups, half * share * 2 / (_LEVELS - 1), middle - half * share)
        # What is kept is what is stored: rounded to float16.
        s, m = s.half().double(), m.half().double()
        error = (groups - (_assign(groups, s, m) * s + m)).square().sum(1, keepdim=True)
        better = error < best
        best = torch.where(better, error, best)
        scale, offset = torch.where(better, s, scale), torch.where(better, m, offset)
    levels = _assign(groups, scale, offset).to(torch.uint8)
    return levels, scale.squeeze(1).half(), offset.squeeze(1).half()


def _lloyd(groups: Tensor, scale: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Assign levels and fit the line through them by least squares, in turn."""
    mean = groups.mean(1, keepdim=True)
    for _ in range(_ROUNDS):
        levels = _assign(groups, scale, offset)
        centre = levels.mean(1, keepdim=True)
        spread = (levels - centre).square().sum(1, keepdim=True)
        slope = ((levels - centre) * (groups - mean)).sum(1, keepdim=True) / spread.clamp_min(1e-12)
        scale = torch.where(spread > 0, slope, scale)
        offset = mean - scale * centre
    return scale, offset


def _assign(groups: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Return the nearest level of each weight, as floats."""
    safe = torch.where(scale.abs() > 1e-12, scale, torch.ones_like(scale))
    return ((groups - offset) / safe).round_().clamp_(0, _LEVELS - 1)


def to_two_bits(model: nn.Module, device: torch.device) -> None:
    """Replace the linear layers of a model in place, one after the other, and free the old ones.

    Parameters
    ----------
    model
        A transformers model; see :func:`quantizable_layers` for what stays as it is.
    device
        Where the new layers go; each is fitted there.
    """
    for path, layer in quantizable_layers(model).items():
        weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
        assert isinstance(weight, Tensor)
        bias = layer.bias.to(device) if isinstance(layer.bias, Tensor) else None
        model.set_submodule(path, TwoBitLinear(weight.to(device), bias))
