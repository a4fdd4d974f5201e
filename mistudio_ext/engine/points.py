"""From the structure of a model to its hook points: which module, and how to read it.

The contributions to the residual stream are found by arithmetic. For a block
with input ``x`` and output ``y``, two modules are its attention ``a`` and its
MLP ``m`` if ``x + a + m = y`` up to the rounding of the model's own dtype.
That sees through modules that return tuples, that add the residual themselves
(bloom), or whose sum is normalised before it is added (Gemma 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from mistudio_ext.engine import families
from mistudio_ext.engine.structure import Structure, stream_in, stream_out
from mistudio_ext.engine.sums import Candidate, Contribution, close, find_sum, product_of
from mistudio_ext.engine.tracing import Call, Key, Trace
from mistudio_ext.hookpoints import GLOBAL_POINTS, block_point


@dataclass(frozen=True)
class Read:
    """How a tensor is read from a module's call.

    ``key`` is the place among the arguments or results (None: the result itself).
    The tensor is multiplied by ``scale``.
    """

    module: str
    side: Literal["input", "output"]
    key: Key
    scale: float = 1.0


@dataclass(frozen=True)
class Point:
    """A hook point that a model offers. ``d`` is the width of its rows."""

    name: str
    short: str
    layer: int | None
    d: int
    read: Read
    max_error: float | None = None


@dataclass(frozen=True)
class BlockMap:
    """How one block adds to the stream.

    ``form`` is ``serial`` (``y = x + a + m`` with a stream between), ``parallel``
    (no stream between), ``single`` (one contribution), ``post_norm``
    (``y = LN(mid + m)``, ``mid = LN(x + a)``) or ``opaque``.
    """

    index: int
    form: Literal["serial", "parallel", "single", "post_norm", "opaque"]
    attn: Contribution | None = None
    mlp: Contribution | None = None
    mid: Read | None = None


@dataclass(frozen=True)
class PointMap:
    """Every hook point of a model, and why the others are missing."""

    points: dict[str, Point]
    blocks: tuple[BlockMap, ...]
    unavailable: dict[str, str]


def build(structure: Structure, config: Any) -> PointMap:
    """Find every hook point of the vocabulary that a traced model offers."""
    recorded = structure.trace
    points: dict[str, Point] = {}
    missing: dict[str, list[tuple[int, str]]] = {}
    maps: list[BlockMap] = []
    scales = families.multipliers(config)

    def offer(short: str, layer: int | None, read: Read | None, why: str) -> None:
        if read is None:
            missing.setdefault(short, []).append((-1 if layer is None else layer, why))
            return
        name = GLOBAL_POINTS[short][0] if layer is None else block_point(layer, short)
        width = read_trace(recorded, read).shape[-1]
        points[name] = Point(name, short, layer, width, read)

    offer("embed", None, _embedding(structure, scales), "no embedding of token ids was called")
    for index, block in enumerate(structure.blocks):
        mapped = _map_block(index, block, recorded, scales, maps[-1] if maps else None)
        maps.append(mapped)
        pre, post = next(iter(block.inputs)), next(iter(block.outputs))
        offer("resid_pre", index, Read(block.path, "input", pre), "")
        offer("resid_post", index, Read(block.path, "output", post), "")
        attn, mlp = _read(mapped.attn), _read(mapped.mlp)
        offer("attn_out", index, attn, _why_no_attention(mapped))
        offer("mlp_out", index, mlp, _why_no_mlp(mapped))
        offer("resid_mid", index, mapped.mid, _why_no_mid(mapped))
        z, why = _projection_input(recorded, block, mapped.attn, attention=True)
        offer("z", index, z, why if mapped.attn else _why_no_attention(mapped))
        hidden, why = _projection_input(recorded, block, mapped.mlp, attention=False)
        offer("mlp_post", index, hidden, why if mapped.mlp else _why_no_mlp(mapped))
    final = structure.final_norm
    offer(
        "ln_final",
        None,
        Read(final.path, "output", next(iter(final.outputs))) if final else None,
        "no norm of its own follows the last block",
    )
    return PointMap(points, tuple(maps), _summarise(missing, len(structure.blocks)))


def read_trace(recorded: Trace, read: Read) -> Tensor:
    """Return the traced tensor ``[batch, position, d]`` of a read."""
    call = recorded.only(read.module)
    assert call is not None
    side = call.inputs if read.side == "input" else call.outputs
    return side[read.key] if read.scale == 1.0 else side[read.key] * read.scale


def module_point(structure: Structure, name: str, path: str) -> Point | str:
    """Return the hook point of any module's output, or why it cannot be one."""
    calls = structure.trace.by_path.get(path)
    if not calls:
        return f"the module '{path}' does not exist or is not run by a forward pass"
    if len(calls) > 1:
        return f"the module '{path}' is run {len(calls)} times in one forward pass"
    if calls[0].output is None:
        return f"the module '{path}' does not return one row per token"
    key = next(iter(calls[0].outputs))
    return Point(name, name, None, calls[0].output.shape[-1], Read(path, "output", key))


def _embedding(structure: Structure, scales: list[float]) -> Read | None:
    call = structure.embedding
    if call is None or call.output is None:
        return None
    read = Read(call.path, "output", next(iter(call.outputs)))
    if structure.blocks:
        stream = stream_in(structure.blocks[0])
        if stream.shape == call.output.shape and not close([call.output], stream):
            # What enters the stream is the embedding times a constant (Gemma, Granite).
            factor = product_of(call.output, stream, scales)
            if factor is not None:
                return Read(read.module, read.side, read.key, factor)
    return read


def _map_block(
    index: int, block: Call, recorded: Trace, scales: list[float], before: BlockMap | None
) -> BlockMap:
    x, y = stream_in(block), stream_out(block)
    inner = [call for call in recorded.below(block.path) if call.ended >= 0]
    candidates = [
        Candidate(call, key, tensor)
        for call in inner
        for key, tensor in call.outputs.items()
        if tensor.shape == x.shape
    ]
    found = find_sum(x, y, candidates, scales)
    if found is None:
        return _post_norm(index, block, inner, candidates)
    if len(found) == 1:
        role = families.role_by_name(*_names(block, found[0]))
        if role == "mlp":
            return BlockMap(index, "single", mlp=found[0])
        return BlockMap(index, "single", attn=found[0])
    attn, mlp = _assign(block, found)
    mid = _reader_of(inner, [x, attn.value()], after=attn.call.started)
    return BlockMap(index, "serial" if mid else "parallel", attn, mlp, mid)


def _names(block: Call, contribution: Contribution) -> tuple[str, str]:
    call = contribution.call
    return call.path[len(block.path) + 1 :], type(call.module).__name__


def _assign(block: Call, pair: tuple[Contribution, ...]) -> tuple[Contribution, Contribution]:
    first, second = sorted(pair, key=lambda c: c.call.started)
    roles = (
        families.role_by_name(*_names(block, first)),
        families.role_by_name(*_names(block, second)),
    )
    if roles in (("mlp", "attn"), ("mlp", None), (None, "attn")):
        return second, first
    return first, second


def _reader_of(inner: list[Call], terms: list[Tensor], after: int) -> Read | None:
    """Return the first module whose input is the sum of ``terms``."""
    for call in inner:
        if call.started > after:
            for key, tensor in call.inputs.items():
                if tensor.shape == terms[0].shape and close(terms, tensor):
                    return Read(call.path, "input", key)
    return None


def _post_norm(index: int, block: Call, inner: list[Call], candidates: list[Candidate]) -> BlockMap:
    """Map a block that normalises after adding: ``mid = LN(x + a)``, ``y = LN(mid + m)``."""
    x, y = stream_in(block), stream_out(block)
    last = next(
        (c for c in reversed(inner) if c.output is not None and torch.equal(c.output, y)), None
    )
    if last is None or last.input is None or last.input.shape != x.shape:
        return BlockMap(index, "opaque")
    for a in candidates:
        first = next(
            (
                c
                for c in inner
                if c.input is not None
                and c.started > a.call.started
                and c.input.shape == x.shape
                and close([x, a.tensor], c.input)
            ),
            None,
        )
        if first is None or first.output is None or first.output.shape != x.shape:
            continue
        for m in candidates:
            if m.call.started > first.started and close([first.output, m.tensor], last.input):
                mid = Read(first.path, "output", next(iter(first.outputs)))
                return BlockMap(
                    index,
                    "post_norm",
                    Contribution(a.call, a.key),
                    Contribution(m.call, m.key),
                    mid,
                )
    return BlockMap(index, "opaque")


def _read(contribution: Contribution | None) -> Read | None:
    if contribution is None:
        return None
    return Read(contribution.call.path, "output", contribution.key, contribution.scale)


def _projection_input(
    recorded: Trace, block: Call, contribution: Contribution | None, *, attention: bool
) -> tuple[Read | None, str]:
    """Return the input of the matrix that makes a contribution."""
    if contribution is None:
        return None, ""
    if attention and not families.ATTENTION_WORDS.search(" ".join(_names(block, contribution))):
        return None, "the block mixes positions without attention heads"
    call = contribution.call
    inside = recorded.below(call.path)
    sources = [call.outputs[contribution.key]]
    if (
        not any(families.is_projection(c.module) for c in [call, *inside])
        and call.input is not None
    ):
        sources.append(call.input)  # A norm after the sub-layer: look at what it normalises.
    for candidate in reversed(recorded.below(block.path)):
        if not families.is_projection(candidate.module) or candidate.output is None:
            continue
        for source in sources:
            if candidate.output.shape == source.shape and torch.equal(candidate.output, source):
                if candidate.input is None:
                    break
                return Read(candidate.path, "input", next(iter(candidate.inputs))), ""
    if attention:
        return None, "the attention's output is not the product of one matrix"
    return None, "the experts' outputs are mixed, so there is no single hidden activation"


def _why_no_attention(block: BlockMap) -> str:
    if block.form == "opaque":
        return "no two modules were found whose outputs add up to what the block adds"
    return "the block has no attention (or other mixer) of its own"


def _why_no_mlp(block: BlockMap) -> str:
    if block.form == "opaque":
        return _why_no_attention(block)
    return "the block has no MLP of its own"


def _why_no_mid(block: BlockMap) -> str:
    if block.form == "parallel":
        return "attention and MLP read the same stream (parallel block)"
    if block.form == "single":
        return "the block adds only one thing to the stream"
    return _why_no_attention(block)


def _summarise(missing: dict[str, list[tuple[int, str]]], n_layers: int) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for short, entries in missing.items():
        by_reason: dict[str, list[int]] = {}
        for layer, why in entries:
            by_reason.setdefault(why, []).append(layer)
        parts = []
        for why, layers in by_reason.items():
            some = len(layers) < n_layers and layers != [-1]
            parts.append(f"layers {', '.join(map(str, layers))}: {why}" if some else why)
        reasons[short] = "; ".join(parts)
    return reasons
