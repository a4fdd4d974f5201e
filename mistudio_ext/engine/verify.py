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


#: Reads the traced value of a hook point; None if it is not offered.
_Value = Callable[[str], Tensor | None]


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

    What is compared is what the points read, not what the structure says, so a point that
    reads another tensor fails. Checked are: the sum over each block (catches contributions that
    are not what is added, or lack a factor); what the MLP is given is the middle of the stream;
    each block hands on what the next one receives, and agreement with ``output_hidden_states``
    (catch another tensor in the place of the stream); the matrices after ``hook_z`` and
    ``hook_post`` give the contributions (catches activations of another matrix); every point is
    finite. A point that only a model's own code could tell apart from another with the same
    values on the test batch is not caught.

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

    def value(name: str) -> Tensor | None:
        point = mapped.points.get(name)
        return None if point is None else read_trace(recorded, point.read)

    blocks = range(len(structure.blocks))
    for form, title in _TITLES.items():
        record(title, [_equation(structure, value, b) for b in mapped.blocks if b.form == form])
    record("resid_pre + attn_out = resid_mid", _middles(mapped, value))
    ends = [
        (value(f"blocks.{i}.hook_resid_post"), value(f"blocks.{i + 1}.hook_resid_pre"), i)
        for i in blocks[:-1]
    ]
    record(
        "resid_post[i] = resid_pre[i+1]",
        [
            ((f"blocks.{i}.hook_resid_post", f"blocks.{i + 1}.hook_resid_pre"), [post], pre)
            for post, pre, i in ends
            if post is not None and pre is not None
        ],
    )
    record("projection of z and mlp_post = contribution", _projections(model, structure, mapped))
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


def _equation(structure: Structure, value: _Value, block: BlockMap) -> Equation:
    """Return the sum over a block, of what its points read.

    Contributions answer for it; so does the last block's output, which nothing receives.
    """
    prefix = f"blocks.{block.index}."
    names = [
        prefix + name
        for name, part in (("hook_attn_out", block.attn), ("hook_mlp_out", block.mlp))
        if part is not None
    ]
    parts = [value(name) for name in names]
    pre, post = value(prefix + "hook_resid_pre"), value(prefix + "hook_resid_post")
    if block.index == len(structure.blocks) - 1:
        names.append(prefix + "hook_resid_post")
    total = stream_out(structure.blocks[block.index]) if post is None else post
    if block.form == "post_norm":
        mid = value(prefix + "hook_resid_mid")
        last = [
            inner
            for inner in structure.trace.below(structure.blocks[block.index].path)
            if inner.output is not None and torch.equal(inner.output, total)
        ]
        terms = [mid, parts[1]]
        # A norm whose output is no longer that of the block: nothing can be its sum.
        total = last[-1].input if last and last[-1].input is not None else total
    else:
        terms = [pre, *parts]
    return tuple(names), [torch.zeros_like(total) if t is None else t for t in terms], total


def _middles(mapped: PointMap, value: _Value) -> list[Equation]:
    found: list[Equation] = []
    for block in mapped.blocks:
        prefix = f"blocks.{block.index}."
        names = ("hook_resid_pre", "hook_attn_out", "hook_resid_mid")
        pre, attn, mid = (value(prefix + name) for name in names)
        if block.form == "serial" and pre is not None and attn is not None and mid is not None:
            found.append(((prefix + "hook_resid_mid",), [pre, attn], mid))
    return found


def _projections(model: nn.Module, structure: Structure, mapped: PointMap) -> list[Equation]:
    """Multiply the inputs of the last matrices anew: the result must be what is contributed."""
    found: list[Equation] = []
    recorded = structure.trace
    for block in mapped.blocks:
        for part, hook in ((block.attn, "attn.hook_z"), (block.mlp, "mlp.hook_post")):
            point = mapped.points.get(f"blocks.{block.index}.{hook}")
            if part is None or point is None:
                continue
            with torch.inference_mode():
                made = model.get_submodule(point.read.module)(read_trace(recorded, point.read))
            given = part.call.outputs[part.key]
            # A norm after the sub-layer: what it normalises is the product.
            norm = part.call.input
            total = norm if norm is not None and _nearer(made, norm, given) else given
            found.append(((point.name,), [made], total))
    return found


def _nearer(made: Tensor, one: Tensor, other: Tensor) -> bool:
    if one.shape != made.shape:
        return False
    return other.shape != made.shape or difference([made], one) < difference([made], other)


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
            ((name,), [read_trace(structure.trace, mapped.points[name].read)], states[i])
            for i, block in enumerate(structure.blocks)
            if (name := f"blocks.{i}.hook_resid_{side}") in mapped.points
            and states[i].shape == stream(block).shape
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
