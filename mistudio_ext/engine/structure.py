"""Which modules are the blocks of a model, found by what they do rather than by their names.

The blocks are the one ``ModuleList`` whose members feed each other: the output
of each is, bit for bit, the input of the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.engine.model.completeness import not_finite
from mistudio_ext.engine.tracing import Call, Key, Trace, example_ids, trace
from mistudio_ext.errors import InvalidInputError

#: What configs call the number of positions.
POSITION_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "n_ctx",
    "seq_length",
    "max_sequence_length",
)
#: Tokens of a traced sample and of all traced samples together, where the model can read as many.
_LENGTH, _TOKENS = 11, 33
#: What a forward pass raises on inputs that a model cannot take.
_RUN_ERRORS = (
    RuntimeError,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ImportError,
)


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

    def without_values(self) -> Structure:
        """Return the same structure without the traced tensors, which take memory."""
        blocks = tuple(
            replace(call, inputs=_emptied(call.inputs), outputs=_emptied(call.outputs))
            for call in self.blocks
        )
        return replace(
            self,
            trace=Trace(self.trace.input_ids, list(blocks)),
            blocks=blocks,
            embedding=None,
            final_norm=None,
        )


def _emptied(tensors: dict[Key, Tensor]) -> dict[Key, Tensor]:
    return {key: tensor[:0].clone() for key, tensor in tensors.items()}


def stream_in(block: Call) -> Tensor:
    """Return the residual stream ``[batch, position, d]`` that entered a block."""
    assert block.input is not None
    return block.input


def stream_out(block: Call) -> Tensor:
    """Return the residual stream ``[batch, position, d]`` that left a block."""
    assert block.output is not None
    return block.output


def text_config(config: Any) -> Any:
    """Return the part of a config that describes the language model."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


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
        Token ids ``[batch, position]`` to trace with; by default a random batch of 33 tokens or
        more, in samples of 11 tokens or as many as the model can read.

    Raises
    ------
    InvalidInputError
        ``unsupported_model`` if the model does not run on token ids alone.
    """
    recorded = (
        _example_trace(model) if input_ids is None else trace(model, text_model(model), input_ids)
    )
    blocks = _chain(model, recorded)
    reason = None
    layers = _claimed_layers(getattr(model, "config", None))
    if 0 < len(blocks) < layers:
        # Another list whose members feed each other (Gemma 3n's projections), not the layers.
        reason = (
            f"{type(model).__name__} has {layers} layers, but only {len(blocks)} modules were "
            "found in which each one's output is the next one's input"
        )
        blocks = ()
    if not blocks:
        reason = not_finite(model) or reason
    if not blocks and reason is None:
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


def _example_trace(model: nn.Module) -> Trace:
    """Trace a random batch that fits the model: no more positions, no more ids than it has."""
    config = getattr(model, "config", None)
    first = next(model.parameters())
    device, dtype = first.device, first.dtype
    text = text_config(config)
    claimed = claimed_positions(config) or _LENGTH
    # A table may begin a few rows later (RoBERTa). On a GPU a row that is not there ends the
    # process' use of the device, so there a short sample is taken at once.
    offset = max(1, getattr(text, "pad_token_id", None) or 0) + 1
    longest = min(_LENGTH, claimed if device.type == "cpu" else max(1, claimed - offset))
    failure: Exception | None = None
    for length in _lengths(longest):
        rows = -(-_TOKENS // length)
        ids = example_ids(config, batch=rows, length=length, device=str(device))
        try:
            return trace(model, text_model(model), ids)
        except _RUN_ERRORS as error:
            if is_out_of_memory(error):
                raise
            failure = failure or error
    text_of_it = " ".join(str(failure).split())[:200]
    raise InvalidInputError(
        f"{type(model).__name__} does not run on token ids alone in "
        f"{str(dtype).removeprefix('torch.')}: {type(failure).__name__}: {text_of_it}",
        code="unsupported_model",
        field="path",
        hint="Choose a language model that reads text and nothing else, or another format.",
    ) from failure


def _lengths(longest: int) -> list[int]:
    """Return the lengths to try: all of it, two less (an offset), and halves down to one."""
    found = [longest, longest - 2]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return [length for length in found if length > 0]


def _claimed_layers(config: Any) -> int:
    """Return the smallest number of layers that a config names, 0 if it names none."""
    text = text_config(config)
    names = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "decoder_layers")
    return min((n for name in names if (n := config_number(text, name))), default=0)


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


def claimed_positions(config: Any) -> int | None:
    """Return the positions that a config promises; XLNet's -1 promises nothing."""
    found = config_number(text_config(config), *POSITION_NAMES)
    return found if found is not None and found > 0 else None


def config_number(config: Any, *names: str) -> int | None:
    """Return the first of a config's attributes that is a whole number, or the largest of a list.

    A config may refuse to name one number for all layers (Gemma 4's ``head_dim``): it has none.
    """
    for name in names:
        try:
            value = getattr(config, name, None)
        except (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError):
            continue
        if isinstance(value, list | tuple):
            value = max((v for v in value if isinstance(v, int)), default=None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
