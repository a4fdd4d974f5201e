"""One forward pass, seen from every module: who was called, with what, and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

#: Where a tensor stands in a module's arguments or results: position, keyword, or None for
#: the result itself.
Key = int | str | None

#: Token ids of a model that looks none up and names no number: those of bytes.
_BYTES = 256


class StopForward(Exception):  # noqa: N818 - it is a signal, not an error
    """Raised by a hook to end the forward pass where nothing more is needed."""


@dataclass
class Call:
    """One call of one module.

    ``inputs`` and ``outputs`` hold copies (the model may change its tensors in
    place later), as ``[batch, position, d]``; ``flat`` tells which of them the
    model itself holds as ``[batch * position, d]``.
    """

    path: str
    module: nn.Module
    started: int
    ended: int = -1
    inputs: dict[Key, Tensor] = field(default_factory=dict)
    outputs: dict[Key, Tensor] = field(default_factory=dict)
    takes_ids: bool = False

    @property
    def input(self) -> Tensor | None:
        """The first hidden-state argument."""
        return next(iter(self.inputs.values()), None)

    @property
    def output(self) -> Tensor | None:
        """The first hidden-state result."""
        return next(iter(self.outputs.values()), None)


@dataclass
class Trace:
    """All calls of one forward pass, in the order in which they started."""

    input_ids: Tensor
    calls: list[Call]

    def __post_init__(self) -> None:
        self.by_path: dict[str, list[Call]] = {}
        for call in self.calls:
            self.by_path.setdefault(call.path, []).append(call)

    def only(self, path: str) -> Call | None:
        """Return the call of the module at ``path`` if it was called exactly once."""
        calls = self.by_path.get(path, [])
        return calls[0] if len(calls) == 1 else None

    def below(self, path: str) -> list[Call]:
        """Return the calls of modules below ``path`` that are called exactly once."""
        prefix = f"{path}." if path else ""
        return [
            call
            for call in self.calls
            if call.path.startswith(prefix) and call.path != path and self.only(call.path)
        ]


def hidden(value: Any, shape: tuple[int, int]) -> Tensor | None:
    """Return ``value`` as ``[batch, position, d]`` if it is a tensor with one row per token.

    Parameters
    ----------
    value
        Anything that a module takes or gives.
    shape
        ``(batch, position)`` of the token ids.
    """
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() < 2:
        return None
    if value.dim() >= 3 and tuple(value.shape[:2]) == shape:
        return value.flatten(2)
    if value.dim() == 2 and value.shape[0] == shape[0] * shape[1]:
        return value.view(*shape, -1) if value.is_contiguous() else value.reshape(*shape, -1)
    return None


def results(output: Any) -> Iterator[tuple[Key, Any]]:
    """Yield what a module returned: ``(None, tensor)`` or the members of a tuple or mapping."""
    if isinstance(output, Tensor):
        yield None, output
    elif isinstance(output, tuple | list):
        yield from enumerate(output)
    elif isinstance(output, Mapping):
        yield from output.items()


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Yield positional arguments, then keywords with ``hidden_states`` first."""
    yield from enumerate(args)
    yield from sorted(kwargs.items(), key=lambda item: item[0] != "hidden_states")


def pick(container: Any, key: Key) -> Any:
    """Read what :func:`results` or :func:`arguments` called ``key``."""
    return container if key is None else container[key]


@contextmanager
def recording(model: nn.Module, shape: tuple[int, int]) -> Iterator[list[Call]]:
    """Record every module call inside the ``with`` block."""
    calls: list[Call] = []
    handles: list[Any] = []
    clock = iter(range(1 << 62))

    def watch(path: str, module: nn.Module) -> None:
        open_calls: list[Call] = []

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            call = Call(path, module, next(clock))
            for key, value in arguments(args, kwargs):
                if isinstance(value, Tensor) and not value.is_floating_point():
                    call.takes_ids |= tuple(value.shape) == shape
                if (tensor := hidden(value, shape)) is not None:
                    call.inputs[key] = tensor.detach().clone()
            calls.append(call)
            open_calls.append(call)

        def after(_: nn.Module, __: Any, output: Any) -> None:
            call = open_calls.pop()
            call.ended = next(clock)
            for key, value in results(output):
                if (tensor := hidden(value, shape)) is not None:
                    call.outputs[key] = tensor.detach().clone()

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after))

    try:
        for path, module in model.named_modules():
            if path:
                watch(path, module)
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def example_ids(
    config: Any, batch: int = 3, length: int = 11, seed: int = 0, device: str = "cpu"
) -> Tensor:
    """Return random token ids that have no special meaning to the model.

    Three rows of eleven tokens: no dimension of a model is likely to be mistaken for them.

    Parameters
    ----------
    config
        The model's config; ids that it names (``*_token_id``, ``*_token_index``) are avoided as
        long as others are left.
    batch, length
        Shape of the result, ``[batch, length]``.
    """
    allowed = torch.tensor(ordinary_ids(config))
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(allowed), (batch, length), generator=generator)
    return allowed[chosen].to(device)


def ordinary_ids(config: Any) -> list[int]:
    """Return token ids without a special meaning, or what is left of a small vocabulary.

    A vocabulary of three may consist of nothing but named ids; then all but the padding's are
    taken, and as a last resort all.
    """
    named, padding = _named_ids(config)
    every = range(min(vocabulary_of(config), 4096))
    ordinary = [i for i in every if i and i not in named]
    for choice in (ordinary, [i for i in every if i not in named | padding]):
        if len(choice) > 1:
            return choice
    return [i for i in every if i not in padding] or list(every)


def _named_ids(config: Any) -> tuple[set[int], set[int]]:
    """Return the ids that a config names, and those of them that pad."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    named: set[int] = set()
    padding: set[int] = set()
    for source in (config, text):
        for key, value in source.to_dict().items():
            if key.endswith(("_token_id", "_token_index")):
                ids = {v for v in (value if isinstance(value, list) else [value]) if v is not None}
                named |= {v for v in ids if isinstance(v, int)}
                if key == "pad_token_id":
                    padding |= named & ids
    return named, padding


def vocabulary_of(config: Any, model: nn.Module | None = None) -> int:
    """Return how many token ids a model knows: rows of its table, else what the config says."""
    find = getattr(model, "get_input_embeddings", None)
    with suppress(NotImplementedError, AttributeError):
        weight = getattr(find() if find is not None else None, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() == 2 and weight.is_floating_point():
            return int(weight.shape[0])
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for source in (text, config):
        size = getattr(source, "vocab_size", None)
        if isinstance(size, int) and size > 0:
            return size
    return _BYTES


def trace(model: nn.Module, runner: nn.Module, input_ids: Tensor) -> Trace:
    """Run ``runner`` (a part of ``model``) on ``input_ids`` and record every call.

    Parameters
    ----------
    model
        The whole model; paths count from it.
    runner
        What is called: the model without its LM head.
    input_ids
        Token ids ``[batch, position]``.
    """
    shape = (int(input_ids.shape[0]), int(input_ids.shape[1]))
    with torch.inference_mode(), recording(model, shape) as calls:
        runner(input_ids=input_ids, use_cache=False)
    return Trace(input_ids, calls)
