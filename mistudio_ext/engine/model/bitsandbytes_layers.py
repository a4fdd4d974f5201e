"""bitsandbytes as a quantizer: what it makes of the weights is kept, its own layers are not.

Its layers choose how to compute by processor (AVX-512 BF16), shape and batch, and its CPU kernel
for 4 bits is wrong for rows that are no multiple of a block (0.50: 24% off at 80 inputs). See
:mod:`~mistudio_ext.engine.model.four_bit` and :mod:`~mistudio_ext.engine.model.eight_bit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mistudio_ext.engine.model.eight_bit import EightBitLinear
from mistudio_ext.engine.model.four_bit import FourBitLinear
from mistudio_ext.errors import InvalidInputError

#: Layers that an error names.
_NAMED = 3


def config_for(format: str, compute: torch.dtype) -> Any:
    """Return transformers' config that quantises to ``q8`` or ``q4`` while weights are read."""
    from transformers import BitsAndBytesConfig

    chosen: dict[str, Any] = (
        {"load_in_8bit": True}
        if format == "q8"
        else {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": compute,
        }
    )
    return BitsAndBytesConfig(**chosen)  # type: ignore[no-untyped-call]


def published(config: Any) -> dict[str, Any] | None:
    """Return what a model's config says of weights that bitsandbytes quantised, None if it did not.

    The settings are those of transformers' ``BitsAndBytesConfig``.
    """
    found = getattr(config, "quantization_config", None) or {}
    facts: dict[str, Any] = found if isinstance(found, dict) else found.to_dict()
    named = "bitsandbytes" in str(facts.get("quant_method") or "")
    return facts if named or facts.get("load_in_4bit") or facts.get("load_in_8bit") else None


def is_bitsandbytes(config: Any) -> bool:
    """Tell whether a model's config says that bitsandbytes quantised its weights."""
    return published(config) is not None


def quantise_rest(model: nn.Module, format: str, paths: Iterable[str], dtype: torch.dtype) -> None:
    """Quantise the layers that transformers left alone because of their class.

    Parameters
    ----------
    format
        ``q8`` or ``q4``.
    paths
        All layers that should be quantised; those that are already are passed over.
    """
    from bitsandbytes.functional import int8_vectorwise_quant, quantize_4bit

    for path in paths:
        layer = model.get_submodule(path)
        if not isinstance(layer, nn.Linear):
            continue
        weight = layer.weight.detach()
        made: FourBitLinear | EightBitLinear
        if format == "q4":
            packed, state = quantize_4bit(weight, compress_statistics=True, quant_type="nf4")
            made = FourBitLinear(packed, state, layer.bias, dtype)
        else:
            levels, largest, _ = int8_vectorwise_quant(weight.to(torch.float16))
            made = EightBitLinear(levels, largest, layer.bias, dtype)
        model.set_submodule(path, made)


def replace_layers(model: nn.Module, dtype: torch.dtype) -> None:
    """Put layers of our own in the place of bitsandbytes', with the same tensors.

    Parameters
    ----------
    model
        A model that transformers loaded with bitsandbytes and that has not run yet.
    dtype
        What it computes in.

    """
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    for path, layer in list(model.named_modules()):
        bias = getattr(layer, "bias", None)
        if isinstance(bias, Tensor):
            bias = bias.to(dtype)
        weight: Any = getattr(layer, "weight", None)
        made: FourBitLinear | EightBitLinear
        if isinstance(layer, Linear4bit):
            made = FourBitLinear(weight.data, weight.quant_state, bias, dtype)
        elif isinstance(layer, Linear8bitLt):
            made = EightBitLinear(weight.data, weight.SCB, bias, dtype)
        else:
            continue
        model.set_submodule(path, made)


def check_range(model: nn.Module) -> None:
    """Refuse int8 weights that were too large to be quantised.

    Raises
    ------
    InvalidInputError
        ``weights_out_of_range``.
    """
    broken = [
        path
        for path, layer in model.named_modules()
        if isinstance(layer, EightBitLinear) and not bool(layer.scale.isfinite().all())
    ]
    if broken:
        names = ", ".join(broken[:_NAMED])
        raise InvalidInputError(
            f"The model cannot be loaded as q8: {len(broken)} of its layers ({names}) have weights "
            "beyond 65504, the range of float16, through which int8 weights are made.",
            code="weights_out_of_range",
            field="format",
            hint="Choose bf16, q4 or q2.",
        )
