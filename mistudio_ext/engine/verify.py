"""Numerical checks of a structural map: what does not hold is not offered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mistudio_ext.engine.points import BlockMap, PointMap, read_trace
from mistudio_ext.engine.structure import Structure, stream_in, stream_out, text_model
from mistudio_ext.engine.sums import close, difference
from mistudio_ext.engine.tracing import Call

#: Hook points that an equation speaks of, its terms, and what they should add up to.
Equation = tuple[tuple[str, ...], list[Tensor], Tensor]


@dataclass(frozen=True)
class Check:
    """One equation and how well it holds, as the largest absolute difference."""

    name: str
    max_error: float
    passed: bool


def verify(
    model: nn.Module, structure: Structure, mapped: PointMap
) -> tuple[PointMap, list[Check]]:
    """Check a map on the traced batch and drop the hook points that fail.

    Checked are the sum over each block, that each block hands on what the next
    one receives, agreement with ``output_hidden_states``, and that every point
    is finite.

    Returns
    -------
    tuple
        The map with ``max_error`` filled in and failing points removed, and the checks.
    """
    errors: dict[str, float] = {}
    failed: dict[str, str] = {}
    checks: list[Check] = []
    recorded = structure.trace

    def record(name: str, parts: list[Equation]) -> None:
        worst, passed = 0.0, True
        for points, terms, total in parts:
            error, holds = difference(terms, total), close(terms, total)
            worst, passed = max(worst, error), passed and holds
            for point in points:
                errors[point] = max(errors.get(point, 0.0), error)
                if not holds:
                    failed[point] = f"the check '{name}' does not hold (off by {error:.2g})"
        if parts:
            checks.append(Check(name, worst, passed))

    for form, title in _TITLES.items():
        record(title, [_equation(structure, mapped, b) for b in mapped.blocks if b.form == form])
    hand_over: list[Equation] = [
        (
            (f"blocks.{i}.hook_resid_post", f"blocks.{i + 1}.hook_resid_pre"),
            [stream_out(a)],
            stream_in(b),
        )
        for i, (a, b) in enumerate(zip(structure.blocks, structure.blocks[1:], strict=False))
    ]
    record("resid_post[i] = resid_pre[i+1]", hand_over)
    record("residual stream = hidden_states", _hidden_states(model, structure, mapped))
    points = {}
    for name, point in mapped.points.items():
        if not bool(torch.isfinite(read_trace(recorded, point.read)).all()):
            failed.setdefault(name, "its values are not finite on the test batch")
        if name not in failed:
            points[name] = dataclasses.replace(point, max_error=errors.get(name, 0.0))
    unavailable = dict(mapped.unavailable)
    for name, why in failed.items():
        if name in mapped.points:
            unavailable.setdefault(mapped.points[name].short, why)
    return dataclasses.replace(mapped, points=points, unavailable=unavailable), checks


_TITLES = {
    "serial": "resid_pre + attn_out + mlp_out = resid_post",
    "parallel": "resid_pre + (attn_out + mlp_out) = resid_post",
    "single": "resid_pre + mixer = resid_post",
    "post_norm": "norm(resid_mid + mlp_out) = resid_post",
}


def _equation(structure: Structure, mapped: PointMap, block: BlockMap) -> Equation:
    call = structure.blocks[block.index]
    parts = [part.value() for part in (block.attn, block.mlp) if part is not None]
    prefix = f"blocks.{block.index}."
    names = tuple(
        prefix + name
        for name, part in (("hook_attn_out", block.attn), ("hook_mlp_out", block.mlp))
        if part is not None
    )
    if block.form != "post_norm":
        return names, [stream_in(call), *parts], stream_out(call)
    assert block.mid is not None
    mid = read_trace(structure.trace, block.mid)
    last = [
        inner
        for inner in structure.trace.below(call.path)
        if inner.output is not None and torch.equal(inner.output, stream_out(call))
    ][-1]
    assert last.input is not None
    return names, [mid, parts[1]], last.input


def _hidden_states(model: nn.Module, structure: Structure, mapped: PointMap) -> list[Equation]:
    """Compare with ``output_hidden_states``: entry i is the stream that enters block i."""
    try:
        with torch.inference_mode():
            given = text_model(model)(
                input_ids=structure.trace.input_ids, output_hidden_states=True, use_cache=False
            )
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return []  # A model that does not offer hidden states cannot disagree with them.
    states = getattr(given, "hidden_states", None)
    if not states or len(states) != len(structure.blocks) + 1:
        return []

    # Most models list what enters each block; mamba lists what leaves it.
    def compare(side: str, stream: Callable[[Call], Tensor]) -> list[Equation]:
        return [
            ((f"blocks.{i}.hook_resid_{side}",), [stream(block)], states[i])
            for i, block in enumerate(structure.blocks)
            if states[i].shape == stream(block).shape
        ]

    before, after = compare("pre", stream_in), compare("post", stream_out)
    leaves = bool(after) and all(close(terms, total) for _, terms, total in after)
    parts = after if leaves else before
    last = mapped.points.get("ln_final.hook_normalized")
    if last is not None:
        value = read_trace(structure.trace, last.read)
        if value.shape == states[-1].shape:
            parts.append(((last.name,), [value], states[-1]))
    return parts
