"""In which format a model is in memory, told by its tensors."""

from __future__ import annotations

from typing import Any

import torch

from mistudio_ext.engine.model.quantized_linear import QuantizedLinear
from mistudio_ext.published import published_format

_PLAIN = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}

#: Dtypes of packed weights; int64 is that of indices, bool that of masks.
_PACKED = {torch.uint8, torch.int8, torch.int16, torch.int32} | {
    getattr(torch, name) for name in dir(torch) if name.startswith("float8_")
}


def published_as(config: Any) -> str | None:
    """Return the format in which a checkpoint was published quantised, None if it was not."""
    return published_format(config.to_dict())


def format_of(model: Any, config: Any) -> str | None:
    """Return the format of a model that was published quantised; None for any other.

    Some methods are undone by the loader where the hardware has no kernels for them: then the
    tensors are plain ones, and their dtype is what the model is in.
    """
    published = published_as(config)
    if published is None or any(_is_packed(module) for module in model.modules()):
        return published
    sizes: dict[torch.dtype, int] = {}
    for parameter in model.parameters():
        sizes[parameter.dtype] = sizes.get(parameter.dtype, 0) + parameter.numel()
    return _PLAIN.get(max(sizes, key=lambda dtype: sizes[dtype]), published)


def _is_packed(module: Any) -> bool:
    if isinstance(module, QuantizedLinear):
        return True
    tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    plain = (torch.Tensor, torch.nn.Parameter)
    return any((t.dtype in _PACKED and t.dim() > 1) or type(t.data) not in plain for t in tensors)
