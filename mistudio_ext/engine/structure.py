"""Which modules are the blocks of a model, found by what they do rather than by their names.

The blocks are the one ``ModuleList`` whose members feed each other: the output
of each is, bit for bit, the input of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mistudio_ext.engine.tracing import Call, Trace, example_ids, trace


@dataclass(frozen=True)
class Structure:
    """What tracing found."""

    trace: Trace
    blocks: tuple[Call, ...]
    embedding: Call | None
    final_norm: Call | None
    reason: str | None
    """Why there are no blocks, if there are none."""

    @property
    def d_model(self) -> int | None:
        """Width of the residual stream."""
        return stream_in(self.blocks[0]).shape[-1] if self.blocks else None


def stream_in(block: Call) -> Tensor:
    """Return the residual stream ``[batch, position, d]`` that entered a block."""
    assert block.input is not None
    return block.input


def stream_out(block: Call) -> Tensor:
    """Return the residual stream ``[batch, position, d]`` that left a block."""
    assert block.output is not None
    return block.output


def text_model(model: nn.Module) -> nn.Module:
    """Return the part of ``model`` that runs without its LM head."""
    base = getattr(model, "base_model", model)
    return base if isinstance(base, nn.Module) else model


def discover(model: nn.Module, input_ids: Tensor | None = None) -> Structure:
    """Find embedding, blocks and final norm of a language model.

    Parameters
    ----------
    model
        A model of ``transformers``, in eval mode.
    input_ids
        Token ids ``[batch, position]`` to trace with; by default a short random batch.
    """
    if input_ids is None:
        device = str(next(model.parameters()).device)
        input_ids = example_ids(getattr(model, "config", None), device=device)
    recorded = trace(model, text_model(model), input_ids)
    blocks = _chain(model, recorded)
    reason = None
    if not blocks:
        reason = (
            f"{type(model).__name__} has no list of blocks in which each block's output "
            "is the next block's input"
        )
    return Structure(
        trace=recorded,
        blocks=blocks,
        embedding=_embedding(recorded),
        final_norm=_final_norm(recorded, blocks),
        reason=reason,
    )


def _chain(model: nn.Module, recorded: Trace) -> tuple[Call, ...]:
    best: tuple[Call, ...] = ()
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList) or len(module) <= len(best):
            continue
        calls: list[Call] = []
        for index in range(len(module)):
            call = recorded.only(f"{path}.{index}")
            if call is None or call.input is None or call.output is None:
                break
            if call.input.shape != call.output.shape:
                break
            if calls and not torch.equal(stream_out(calls[-1]), call.input):
                break
            calls.append(call)
        # Members that are never called may follow (layers for multi-token prediction);
        # a list that breaks off among called members is no chain.
        rest = range(len(calls), len(module))
        if len(calls) > len(best) and not any(f"{path}.{i}" in recorded.by_path for i in rest):
            best = tuple(calls)
    return best


def _embedding(recorded: Trace) -> Call | None:
    for call in recorded.calls:
        is_table = call.takes_ids and isinstance(call.module, nn.Embedding)
        if is_table and call.output is not None and recorded.only(call.path):
            return call
    return None


def _final_norm(recorded: Trace, blocks: tuple[Call, ...]) -> Call | None:
    if not blocks:
        return None
    last = blocks[-1]
    for call in recorded.calls:
        if call.started > last.ended and call.input is not None and call.output is not None:
            if recorded.only(call.path) is None:
                continue  # A norm that is used in other places too (nanochat) cannot be hooked.
            same = torch.equal(call.input, stream_out(last))
            if same and call.output.shape == call.input.shape:
                return call
    return None


def parameter_count(module: nn.Module) -> int:
    """Return the number of parameters, shared ones counted once."""
    return sum(p.numel() for p in {id(p): p for p in module.parameters()}.values())


def config_number(config: Any, *names: str) -> int | None:
    """Return the first of a config's attributes that is a whole number."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, list | tuple) and value:
            value = max(v for v in value if isinstance(v, int)) if value else None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
