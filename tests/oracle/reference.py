"""Plain transformers, one sample at a time, and what hook names mean, written for the oracle alone.

A hook point is found by what the docs say of it: by the names that families give to attention and
MLP, and by arithmetic on the block's input and output. Nothing here is taken from the engine.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from tests.oracle.models import ENCODERS

_ATTENTION = re.compile(
    r"attn|attention|mixer|mamba|temporal|\bconv|time_mix|rwkv|ssm|delta|recurrent|retention"
)
_MLP = re.compile(
    r"mlp|ffn|feed_?forward|moe|expert|\bfc\d|dense_4h|channel_mix|^output\.dense|"
    r"^intermediate|ff_|shared_transformer|pwff|lin2"
)
_NORM = re.compile(r"norm|^ln|\.ln|layer_norm|layernorm", re.IGNORECASE)


@dataclass
class Call:
    """One call of a module: its path, the tensors that it got and gave, one row a token."""

    path: str
    module: nn.Module
    inputs: list[Tensor]
    output: Tensor | None


class Unknown(Exception):  # noqa: N818
    """The reference has no opinion on a hook point of this model."""


class Reference:
    """A model of plain transformers, and what its modules do with one sample.

    Parameters
    ----------
    model
        In eval mode.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._paths = {module: path for path, module in model.named_modules()}

    def run(self, ids: Sequence[int]) -> Sample:
        """Run one sample alone, without padding, cache or mask."""
        calls: list[Call] = []
        with _recording(self.model, self._paths, calls, len(ids)), torch.inference_mode():
            out = (
                self.model(
                    input_ids=torch.tensor([list(ids)]), use_cache=False, output_hidden_states=True
                )
                if _takes_cache(self.model)
                else self.model(input_ids=torch.tensor([list(ids)]), output_hidden_states=True)
            )
        return Sample(self.model, calls, getattr(out, "hidden_states", None))


def _takes_cache(model: Any) -> bool:
    import inspect

    names = inspect.signature(model.forward).parameters
    return "use_cache" in names or any(p.kind is p.VAR_KEYWORD for p in names.values())


class Sample:
    """What one sample did to each module, and the hook points of that.

    Attributes
    ----------
    states
        What ``output_hidden_states`` gives.
    """

    def __init__(self, model: Any, calls: list[Call], states: Any) -> None:
        self._model, self._calls, self.states = model, calls, states
        self._by_path: dict[str, list[Call]] = {}
        for call in calls:
            self._by_path.setdefault(call.path, []).append(call)
        self.blocks = _blocks(model, self._by_path)

    def value(self, hook: str) -> Tensor:
        """Return a hook point's tensor ``[tokens, d]``; Unknown if it cannot be told."""
        if hook.startswith("module:"):
            return self._only(hook.removeprefix("module:"))
        if hook == "hook_embed":
            return self._embedding()
        if hook == "ln_final.hook_normalized":
            return self._final()
        _, number, rest = hook.split(".", 2)
        block = self._by_path[self.blocks[int(number)]][0]
        return self._in_block(block, rest)

    def _only(self, path: str) -> Tensor:
        calls = self._by_path.get(path, [])
        if len(calls) != 1 or calls[0].output is None:
            raise Unknown(path)
        return calls[0].output

    def _embedding(self) -> Tensor:
        table = self._model.get_input_embeddings()
        found = next((c for c in self._calls if c.module is table), None)
        if found is None or found.output is None:
            raise Unknown("hook_embed")
        emb, first = found.output, self._stream(self.blocks[0])
        if emb.shape == first.shape:
            # "Token embeddings" as they enter the stream: Granite multiplies them on the way.
            factor = float((emb.float() * first.float()).sum() / emb.float().square().sum())
            if _same(first, emb * factor):
                return emb * factor
        return emb

    def _final(self) -> Tensor:
        last = self._by_path[self.blocks[-1]][0]
        after = self._calls[self._calls.index(last) + 1 :]
        norms = [c for c in after if _NORM.search(c.path) and c.output is not None]
        top = [c for c in norms if not c.path.startswith(tuple(b + "." for b in self.blocks))]
        if not top:
            raise Unknown("ln_final")
        return top[0].output  # type: ignore[return-value]

    def _stream(self, path: str) -> Tensor:
        inputs = self._by_path[path][0].inputs
        if not inputs:
            raise Unknown(path)
        return inputs[0]

    def _in_block(self, block: Call, what: str) -> Tensor:
        x, y = self._stream(block.path), block.output
        assert y is not None
        if what == "hook_resid_pre":
            return x
        if what == "hook_resid_post":
            return y
        inner = [c for c in self._calls if c.path.startswith(block.path + ".")]
        attn, mlp, mid = _contributions(block.path, inner, x, y, self._scales())
        if what == "hook_attn_out" and attn is not None:
            return attn.value
        if what == "hook_mlp_out" and mlp is not None:
            return mlp.value
        if what == "hook_resid_mid" and attn is not None:
            return mid if mid is not None else x + attn.value
        if what == "attn.hook_z" and attn is not None:
            return _projected(attn, inner)
        if what == "mlp.hook_post" and mlp is not None:
            return _projected(mlp, inner)
        raise Unknown(what)

    def _scales(self) -> list[float]:
        config = self._model.config
        named = ("residual_multiplier", "residual_scale", "hidden_scale", "scale_depth")
        found = [float(getattr(config, name)) for name in named if hasattr(config, name)]
        return [1.0, *[s for s in found if s > 0]]


@dataclass
class _Part:
    """What attention or MLP adds: the module, its kind, and the value added."""

    path: str
    value: Tensor


def _contributions(
    block: str, inner: list[Call], x: Tensor, y: Tensor, scales: list[float]
) -> tuple[_Part | None, _Part | None, Tensor | None]:
    """Return what attention and MLP add, and the normalised stream between (post-norm blocks)."""
    attn, mlp = [], []
    for call in inner:
        path = call.path[len(block) + 1 :]
        if call.output is None or call.output.shape != x.shape:
            continue
        is_attn = bool(_ATTENTION.search(path))
        is_mlp = bool(_MLP.search(path)) and not is_attn
        if re.search(r"post_(feed|mlp|ff|moe)", path):
            is_attn, is_mlp = False, True
        (attn if is_attn else mlp if is_mlp else []).append(_Part(call.path, call.output))
    for scale in scales:
        for a in attn:
            for m in mlp:
                if _same(y, x + scale * (a.value + m.value)):
                    return _Part(a.path, scale * a.value), _Part(m.path, scale * m.value), None
        for only in attn + mlp:
            if _same(y, x + scale * only.value):
                part = _Part(only.path, scale * only.value)
                return (part, None, None) if only in attn else (None, part, None)
    norms = [c for c in inner if c.output is not None and c.inputs and _NORM.search(c.path)]
    for a in attn:
        for first in norms:
            if not _same(first.inputs[0], x + a.value):
                continue
            for last in norms:
                if last.output is None or not _same(last.output, y):
                    continue
                for m in mlp:
                    if _same(last.inputs[0], first.output + m.value):  # type: ignore[operator]
                        return a, m, first.output
    return None, None, None


def _projected(part: _Part, inner: list[Call]) -> Tensor:
    """Return the input of the matrix whose product a contribution is."""
    kinds = (nn.Linear, Conv1D)
    linear = [
        c for c in inner if isinstance(c.module, kinds) or "Linear" in type(c.module).__name__
    ]
    equal = [
        c
        for c in linear
        if c.output is not None
        and c.output.shape == part.value.shape
        and c.inputs
        and _parallel(c.output, part.value)
    ]
    if equal:
        return equal[-1].inputs[0]
    # A norm stands between: the last matrix of the same sub-layer that gives the stream's width.
    attention = bool(_ATTENTION.search(part.path))
    wide = [
        c
        for c in linear
        if c.output is not None
        and c.output.shape == part.value.shape
        and c.inputs
        and bool(_ATTENTION.search(c.path)) == attention
        and not _routed(c.path)
    ]
    if not wide:
        raise Unknown("projection")
    return wide[-1].inputs[0]


def _routed(path: str) -> bool:
    return bool(re.search(r"expert|moe|router|gate$", path))


def _parallel(a: Tensor, b: Tensor) -> bool:
    a, b = a.float(), b.float()
    factor = (a * b).sum() / a.square().sum().clamp_min(1e-30)
    return _same(b, a * factor)


def _same(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are equal up to the rounding of their dtype."""
    if a.shape != b.shape:
        return False
    eps = 4e-2 if torch.bfloat16 in (a.dtype, b.dtype) else 2e-5
    a, b = a.float(), b.float()
    return bool((a - b).norm() <= eps * a.norm())


def _blocks(model: Any, calls: dict[str, list[Call]]) -> list[str]:
    """Return the paths of the blocks: of the lists of modules that ran, the longest."""
    best: list[str] = []
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList):
            continue
        ran = [f"{path}.{i}" for i in range(len(module)) if len(calls.get(f"{path}.{i}", ())) == 1]
        inside = any(path.startswith(block + ".") for block in best)
        if len(ran) == len(module) and len(ran) > len(best) and not inside:
            best = ran
    return best


@contextlib.contextmanager
def _recording(
    model: Any, paths: dict[nn.Module, str], calls: list[Call], tokens: int
) -> Iterator[None]:
    """Keep a copy of what each module gets and gives; its inputs before it can change them."""
    open_calls: list[Call] = []
    handles = []

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)]
        rows = [r for t in tensors if (r := _rows(t, tokens)) is not None]
        call = Call(paths[module], module, rows, None)
        calls.append(call)
        open_calls.append(call)

    def after(module: nn.Module, _args: Any, out: Any) -> None:
        call = open_calls.pop()
        call.output = next((r for t in _tensors(out) if (r := _rows(t, tokens)) is not None), None)

    for module in paths:
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(out: Any) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    values = (
        out.values() if isinstance(out, dict) else out if isinstance(out, (tuple, list)) else ()
    )
    return [t for t in values if isinstance(t, Tensor)]


def _rows(tensor: Tensor, tokens: int) -> Tensor | None:
    """Return a copy as one row a token, None if it is something else."""
    if not tensor.is_floating_point():
        return None
    if tensor.dim() >= 3 and tensor.shape[:2] == (1, tokens):
        return tensor.detach().clone().reshape(tokens, -1)
    if tensor.dim() == 2 and tensor.shape[0] == tokens:
        return tensor.detach().clone()
    return None


def load(folder: str, family: str, format: str) -> Any:
    """Return plain transformers' model of a folder in a format, as the docs describe formats."""
    config = AutoConfig.from_pretrained(folder)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(format, torch.float32)
    kind = AutoModel if family in ENCODERS else AutoModelForCausalLM
    model = kind.from_pretrained(folder, config=config, dtype=dtype).eval()
    if format == "fp16":
        model = model.float()  # "on a CPU fp16 computes in float32"
    if format in ("q8", "q4", "q2"):
        _quantise(model, format)
    return model


def _quantise(model: Any, format: str) -> None:
    """Put the weights of linear layers through a format and back, in float32."""
    head = model.get_output_embeddings()
    with torch.no_grad():
        for module in model.modules():
            if module is head or not isinstance(module, nn.Linear | Conv1D):
                continue
            weight = module.weight.T if isinstance(module, Conv1D) else module.weight
            back = _there_and_back(weight.detach().float().contiguous(), format)
            module.weight.copy_(back.T if isinstance(module, Conv1D) else back)


def _there_and_back(weight: Tensor, format: str) -> Tensor:
    if format == "q8":
        from bitsandbytes.functional import int8_vectorwise_quant

        levels, largest, _ = int8_vectorwise_quant(weight.half())
        return levels.float() * (largest.float().reshape(-1, 1) / 127.0)
    if format == "q4":
        from bitsandbytes import functional

        packed, state = functional.quantize_4bit(
            weight, quant_type="nf4", blocksize=64, compress_statistics=True
        )
        return functional.dequantize_4bit(packed, state).reshape(weight.shape).float()
    from mistudio_ext.engine.two_bit import TwoBitLinear

    return TwoBitLinear(weight).dequantised(torch.float32)
