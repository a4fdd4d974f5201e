"""What a model takes in memory, from its config alone: no weight is read, no tensor allocated.

The tensors are counted on a model of fake ones, and a forward pass over fake
token ids tells which activations live at the same time.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mistudio_ext.engine.load import class_for, meta_model
from mistudio_ext.engine.model.bitsandbytes_layers import published
from mistudio_ext.engine.model.four_bit import BLOCK, NESTED_BLOCK
from mistudio_ext.engine.model.quantized_linear import quantizable_layers, shape_of
from mistudio_ext.engine.structure import (
    claimed_positions,
    parameter_count,
    text_model,
)
from mistudio_ext.engine.two_bit import GROUP
from mistudio_ext.spec import MODEL_FORMATS

#: Tokens of the samples with which activations are counted, where the model can read as many.
LENGTH = 512

#: Bytes of the tables of NF4 with double quantisation, and of the offset.
_NF4_TABLES = 16 * 4 + 256 * 4 + 4


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made under it and not freed yet.

    Attributes
    ----------
    now, peak
        Bytes alive, and the most that were.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it makes."""
        given = {s for value in (*args, *(kwargs or {}).values()) for s in _storages(value)}
        made = func(*args, **(kwargs or {}))
        for tensor in _tensors(made):
            storage = tensor.untyped_storage()
            if storage._cdata not in given:
                self._count(storage)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, n_bytes = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += n_bytes
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, key, n_bytes)

    def _freed(self, key: int, n_bytes: int) -> None:
        self._seen.discard(key)
        self.now -= n_bytes


def sizes(config: Any, allow_remote_code: bool = False) -> dict[str, Any]:
    """Return what a model takes in every format.

    Returns
    -------
    dict
        ``{"memory": {format: {"cpu": bytes, "gpu": bytes}}, "activations":
        {"length": tokens, "base": bytes, "per_sample": bytes} | None, …}``.
        Activations are those of a float32 forward pass without the LM head;
        None if the model cannot run on fake tensors. ``"quantizable": {"weights", "largest"}``:
        weights that q8, q4 and q2 shrink, and those of the largest layer, which a pass
        dequantises as a whole.
    """
    empty = meta_model(config, allow_remote_code)
    counts = [math.prod(shape_of(layer)) for layer in quantizable_layers(empty).values()]
    return {
        "memory": memory_by_format(empty),
        "activations": activations(config, allow_remote_code),
        "quantizable": {"weights": sum(counts), "largest": max(counts, default=0)},
    }


def memory_by_format(model: nn.Module) -> dict[str, dict[str, int]]:
    """Return the bytes of all tensors of a model, by format and kind of device.

    Parameters
    ----------
    model
        On the meta device, or real and in full precision.
    """
    total = parameter_count(model)
    buffers = sum(b.numel() * b.element_size() for b in model.buffers())
    shapes = [shape_of(layer) for layer in quantizable_layers(model).values()]
    counts = [rows * columns for rows, columns in shapes]
    shrinks = sum(counts)
    packed = {
        "q8": sum(n * k + 4 * n for n, k in shapes),
        "q4": sum(_nf4(n * k) for n, k in shapes),
        "q2": sum(_q2(n, k) for n, k in shapes),
    }
    if (facts := published(getattr(model, "config", None))) is not None:
        # Whatever is asked for, the weights stay what their publisher made of them.
        four_bits = _nf4 if facts.get("bnb_4bit_use_double_quant") else _nf4_once
        made = packed["q8"] if facts.get("load_in_8bit") else sum(map(four_bits, counts))
        packed = dict.fromkeys(MODEL_FORMATS, made)
    found = {"fp32": {"cpu": 4 * total, "gpu": 4 * total}}
    found["bf16"] = {"cpu": 2 * total, "gpu": 2 * total}
    found["fp16"] = {"cpu": 4 * total, "gpu": 2 * total}  # The CPU computes it in float32.
    for name, n_bytes in packed.items():
        rest = total - shrinks
        found[name] = {"cpu": 4 * rest + n_bytes, "gpu": 2 * rest + n_bytes}
    return {
        name: {kind: n_bytes + buffers for kind, n_bytes in kinds.items()}
        for name, kinds in found.items()
    }


def activations(config: Any, allow_remote_code: bool = False) -> dict[str, Any] | None:
    """Return the activations of a forward pass: a constant and what each sample adds.

    ``layers`` tells of each kind of layer that q8, q4 and q2 shrink, which dequantise a weight
    when they run: ``[weights, base, per_sample, base_after, per_sample_after]``, with the bytes
    alive before and after it. ``half`` tells the same of a pass in 16 bits.
    """
    length = min(LENGTH, claimed_positions(config) or LENGTH)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            found = _passes(config, allow_remote_code, torch.float32, length)
            half = _passes(config, allow_remote_code, torch.bfloat16, length)
    except (RuntimeError, TypeError, ValueError, AttributeError, LookupError, ImportError):
        return None  # What a model does depends on more than shapes (routing, kernels).
    return {"length": length, **found, "half": half}


def _passes(
    config: Any, allow_remote_code: bool, dtype: torch.dtype, length: int
) -> dict[str, Any]:
    """Return ``base``, ``per_sample`` and ``layers`` of a pass over fake tensors of a dtype."""
    whole: nn.Module = class_for(config).from_config(
        config, trust_remote_code=allow_remote_code, dtype=dtype
    )
    layers = list(quantizable_layers(whole.eval()).values())
    one, three = (_peaks(text_model(whole), layers, batch, length) for batch in (1, 3))
    base, per_sample = _line(one.peak, three.peak)
    kinds = {
        (n, *_line(before, before_three), *_line(after, after_three))
        for (n, before, after), (_, before_three, after_three) in zip(
            one.layers, three.layers, strict=True
        )
    }
    return {
        "base": max(0, base),
        "per_sample": max(1, per_sample),
        "layers": [list(kind) for kind in sorted(kinds)],
    }


def _line(one: int, three: int) -> tuple[int, int]:
    """Return constant and slope through what one sample and three samples take."""
    per_sample = (three - one) // 2
    return one - per_sample, per_sample


@dataclass
class _Peaks:
    """Bytes of a pass at the most, and for each layer: weights, bytes before and after it."""

    peak: int
    layers: list[tuple[int, int, int]]


def _peaks(model: nn.Module, layers: list[nn.Module], batch: int, length: int) -> _Peaks:
    ids = torch.zeros(batch, length, dtype=torch.long)
    found: list[tuple[int, int, int]] = []
    before: list[int] = []
    handles = []
    with torch.inference_mode(False), torch.no_grad(), LiveBytes() as live:

        def enter(_layer: nn.Module, _args: Any) -> None:
            before.append(live.now)

        def leave(layer: nn.Module, _args: Any, _output: Any) -> None:
            found.append((math.prod(shape_of(layer)), before.pop(), live.now))

        for layer in layers:
            handles += [
                layer.register_forward_pre_hook(enter),
                layer.register_forward_hook(leave),
            ]
        model(input_ids=ids, use_cache=False)
        for handle in handles:
            handle.remove()
    return _Peaks(int(live.peak), found)


def _nf4(count: int) -> int:
    blocks = math.ceil(count / BLOCK)
    return math.ceil(count / 2) + blocks + 4 * math.ceil(blocks / NESTED_BLOCK) + _NF4_TABLES


def _nf4_once(count: int) -> int:
    # Without the second quantisation: absmax in float32, and one table.
    return math.ceil(count / 2) + 4 * math.ceil(count / BLOCK) + 16 * 4


def _q2(rows: int, columns: int) -> int:
    # A quarter of a byte for each weight, and scale and offset in float16 for each group.
    return rows * math.ceil(columns / GROUP) * (GROUP // 4 + 4)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _tensors(part)]
    return []


def _storages(value: Any) -> list[int]:
    return [tensor.untyped_storage()._cdata for tensor in _tensors(value)]
