"""Which samples may share a batch, found by passes at the lengths and in the dtype of the run.

What is tried, from the fastest way to the safest: samples of different lengths side by side,
right-padded (``plain``); the same with an attention mask (``mask``); samples of one length
(``equal``); each sample by itself (``alone``), which needs no proof. A way is taken if

- *content*: other padding and other neighbours leave a sample as it was. Both passes have the
  same shape, so nothing but an influence can tell them apart. It catches a model that sees its
  padding, and one whose samples see each other (experts with a capacity, outliers that are found
  per batch);
- *shape*: a sample in company is what it is alone. It catches what depends on the length of the
  batch (frequencies that change with it) or on the mask, whatever stands in the padding.

Differences are measured in units of the model's own rounding: what half a unit in the last
place, added at random to what enters each block, makes of the same sample in the same dtype.
Where rounding by itself moves a sample too far to tell (routing that tips over), the answer is
no. So is it where the passes would cost more than a small part of the run.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mistudio_ext.engine.forward.lengths import Lengths
from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.engine.model.limits import Limits
from mistudio_ext.engine.structure import Structure, parameter_count, text_model
from mistudio_ext.engine.tracing import StopForward, hidden, ordinary_ids, pick

#: How samples may share a batch; see the module.
Padding = Literal["plain", "mask", "equal", "alone"]

#: Tokens of the longest sample that is tried where no run says how long its own are.
_USUAL = 64
#: Operations that the passes may take on a CPU and on a GPU, or else this part of the run's.
_CPU_FLOPS, _GPU_FLOPS, _SHARE = 2e11, 2e14, 0.05


@dataclass(frozen=True)
class Rule:
    """How samples may share a batch, and why not in a faster way (None if in the fastest)."""

    padding: Padding
    reason: str | None = None


@dataclass(frozen=True)
class _Tolerance:
    """How far two passes may be apart: multiples of the rounding, and shares of the values.

    ``typical`` is for the root mean square over all tokens, ``worst`` for the worst token.
    """

    typical: float
    worst: float
    most_typical: float
    most_worst: float


#: The same shape is computed in the same order. Whole models show 0, experts of other sizes little.
_CONTENT = _Tolerance(typical=0.25, worst=0.25, most_typical=0.01, most_worst=0.03)
#: Another shape adds up in another order in each operation; whole models show up to 0.95 of both.
_SHAPE = _Tolerance(typical=2.0, worst=2.5, most_typical=0.05, most_worst=0.12)

#: Operations that pick by value, and the rounding from which on that matters.
_CHOOSING = ("topk", "sort", "argmax", "argsort", "kthvalue")
_HALF_EPS = 5e-4
#: Blocks whose outputs are compared, the last among them.
_WATCHED = 6

#: The outputs of the watched blocks for the samples that are compared, each ``[tokens, d]``.
_Streams = dict[str, list[Tensor]]

_known: weakref.WeakKeyDictionary[nn.Module, dict[Any, Rule]] = weakref.WeakKeyDictionary()


def decide(
    model: nn.Module, structure: Structure, limits: Limits, lengths: Lengths | None = None
) -> Rule:
    """Return how samples of these lengths may share a batch without changing a value.

    Parameters
    ----------
    structure
        What :func:`mistudio_ext.engine.structure.discover` found.
    limits
        What the model can be given.
    lengths
        Those of the run; by default those of short samples, for a first impression.
    """
    if not structure.blocks:
        return Rule("alone", structure.reason)
    if lengths is None:
        longest = min(_USUAL, limits.context or _USUAL)
        lengths = Lengths(longest, max(1, longest // 4))
    weights = sum(parameter_count(block.module) for block in structure.blocks)
    key = (lengths.longest, lengths.shortest, _affordable(structure, weights, lengths))
    rules = _known.setdefault(model, {})
    if key not in rules:
        rules[key] = _decide(model, structure, lengths) if key[-1] else _UNPROVEN
    return rules[key]


_UNPROVEN = Rule(
    "alone", "trying whether samples influence each other would cost more than it can save"
)


def _affordable(structure: Structure, weights: int, lengths: Lengths) -> bool:
    tokens = 14 * lengths.longest
    on_cpu = structure.trace.input_ids.device.type == "cpu"
    budget = max(_CPU_FLOPS if on_cpu else _GPU_FLOPS, _SHARE * 2.0 * weights * lengths.n_tokens)
    return 2.0 * weights * tokens <= budget


def _decide(model: nn.Module, structure: Structure, lengths: Lengths) -> Rule:
    if _chooses(model, structure):
        return Rule(
            "alone",
            "the model chooses by its values (which experts, which positions), and in half "
            "precision the rounding of another batch tips such choices over",
        )
    probe = _Probe(model, structure, lengths)
    reason: str | None = None
    try:
        if lengths.ragged and probe.can_tell:
            for way in ("plain", "mask"):
                why = probe.padded(masked=way == "mask")
                if why is None:
                    return Rule("plain" if way == "plain" else "mask", reason)
                reason = why
        why = probe.company()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        why = "there is no memory to try it"
    if why is None:
        return Rule("equal" if lengths.ragged else "plain", reason)
    return Rule("alone", why)


def _chooses(model: nn.Module, structure: Structure) -> bool:
    """Return whether a half-precision model makes choices that rounding can tip over.

    Few tokens are near a choice, so passes over some tokens cannot show that there are none.
    """
    eps = max(torch.finfo(t.dtype).eps for b in structure.blocks for t in b.outputs.values())
    if eps < _HALF_EPS:
        return False
    with torch.inference_mode(), _Choices() as choices:
        text_model(model)(input_ids=structure.trace.input_ids, use_cache=False)
    return bool(choices.seen)


class _Choices(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whether anything is chosen by the values of floating-point tensors.

    Attributes
    ----------
    seen
        Whether there was such a choice.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at its name."""
        chooses = str(func).split(".")[1] in _CHOOSING or str(func) == "aten.max.dim"
        if chooses and isinstance(args[0], Tensor) and args[0].is_floating_point():
            self.seen = True
        return func(*args, **(kwargs or {}))


class _Probe:
    """Samples of the run's lengths, and the passes that try them.

    Attributes
    ----------
    can_tell
        Whether there are ids enough for another padding than the first.
    """

    def __init__(self, model: nn.Module, structure: Structure, lengths: Lengths) -> None:
        self._runner = text_model(model)
        self._blocks = structure.blocks
        # What changes the stream in a block is seen in later ones too.
        step = -(-len(self._blocks) // _WATCHED)
        self._watched = [block.path for block in self._blocks[::-1][::step]][::-1]
        self._device = structure.trace.input_ids.device
        self._generator = torch.Generator().manual_seed(11)
        self._ids = torch.tensor(ordinary_ids(getattr(model, "config", None)))
        self._longest = lengths.longest
        self._lengths = _short_lengths(lengths)
        self.can_tell = len(self._ids) > 1

    def padded(self, *, masked: bool) -> str | None:
        """Return why samples of other lengths cannot be padded so; None if they can."""
        samples = [self._random(length) for length in self._lengths]
        lengths = [*self._lengths, self._longest]
        mask = None
        if masked:
            mask = (torch.arange(self._longest) < torch.tensor(lengths)[:, None]).long()
        batches = []
        for each in range(2):
            rows = [self._padded(sample, last=each == 0) for sample in samples]
            batches.append(torch.stack([*rows, self._random(self._longest)]))
        how = "with a mask" if masked else "without a mask"
        try:
            first, second = (self._run(ids, lengths[:-1], mask) for ids in batches)
        except (TypeError, ValueError, LookupError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return f"it does not run {how}: {' '.join(str(error).split())[:120]}"
        for row, sample in enumerate(samples):
            why = self._compare(sample, row, first, second)
            if why is not None:
                return f"{how}, {why}"
        return None

    def company(self) -> str | None:
        """Return why samples of one length cannot share a batch; None if they can."""
        sample = self._random(self._longest)
        first, second = (
            self._run(torch.stack([sample, self._random(self._longest)]), [self._longest])
            for _ in range(2)
        )
        return self._compare(sample, 0, first, second)

    def _compare(self, sample: Tensor, row: int, first: _Streams, second: _Streams) -> str | None:
        """Compare one sample in two batches of the same shape, and with itself alone."""
        length = len(sample)
        alone = self._run(sample[None], [length])
        noise = self._run(sample[None], [length], rounding=True)
        for path in self._watched:
            want = alone[path][0].double()
            scale = _scale(want)
            got, again = first[path][row].double(), second[path][row].double()
            rounding = _distance(noise[path][0].double(), want, scale)
            if not _within(_distance(got, again, scale), rounding, _CONTENT):
                return f"the padding or the neighbours of a sample change it (in {path})"
            if not _within(_distance(got, want, scale), rounding, _SHAPE):
                return f"a sample of {length} tokens is another one in company (in {path})"
        return None

    def _random(self, length: int) -> Tensor:
        return self._ids[torch.randint(len(self._ids), (length,), generator=self._generator)]

    def _padded(self, sample: Tensor, *, last: bool) -> Tensor:
        """Pad with the last token, as a run does, or with others."""
        missing = self._longest - len(sample)
        filler = sample[-1:].expand(missing) if last else self._random(missing)
        return torch.cat([sample, filler])

    def _run(
        self,
        ids: Tensor,
        lengths: Sequence[int],
        mask: Tensor | None = None,
        *,
        rounding: bool = False,
    ) -> _Streams:
        """Run a batch and return what leaves the watched blocks, for its first samples."""
        inputs: dict[str, Any] = {"input_ids": ids.to(self._device)}
        if mask is not None:
            inputs["attention_mask"] = mask.to(self._device)
        streams: _Streams = {}
        shape = (int(ids.shape[0]), int(ids.shape[1]))

        def keep(path: str, value: Tensor) -> None:
            streams[path] = [value[row, :n].clone() for row, n in enumerate(lengths)]

        watching = self._watching(keep, shape, rounding=rounding)
        with suppress(StopForward), torch.inference_mode(), watching:
            self._runner(**inputs, use_cache=False)
        return streams

    @contextmanager
    def _watching(
        self, keep: Callable[[str, Tensor], None], shape: tuple[int, int], *, rounding: bool
    ) -> Iterator[None]:
        """Show what leaves the watched blocks, stop after the last, round all inputs anew."""
        handles: list[Any] = []
        generator = torch.Generator(device=self._device).manual_seed(5)

        def show(path: str, key: Any) -> Any:
            def hook(_: nn.Module, __: Any, output: Any) -> None:
                value = hidden(pick(output, key), shape)
                if value is None:
                    raise RuntimeError(f"{path} does not return one row per token")
                keep(path, value)
                if path == self._watched[-1]:
                    raise StopForward

            return hook

        def shake(key: Any) -> Any:
            def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
                if isinstance(key, str):
                    return args, {**kwargs, key: _rounded_anew(kwargs[key], generator)}
                changed = [
                    _rounded_anew(value, generator) if place == key else value
                    for place, value in enumerate(args)
                ]
                return tuple(changed), kwargs

            return hook

        try:
            for block in self._blocks:
                module = block.module
                if block.path in self._watched:
                    after = show(block.path, next(iter(block.outputs)))
                    handles.append(module.register_forward_hook(after))
                if rounding:
                    before = shake(next(iter(block.inputs)))
                    handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()


def _short_lengths(lengths: Lengths) -> list[int]:
    """Return the lengths of the short samples: one near the shortest, one in the middle.

    The short one is below a threshold that the longest is beyond, wherever it lies. A single
    token says little, so it has eight if the run's longest has more.
    """
    longest = lengths.longest
    near = min(max(lengths.shortest, 8), max(1, longest // 2))
    middle = max(1, 2 * longest // 3)
    return list(dict.fromkeys((near, middle)))


def _rounded_anew(value: Tensor, generator: torch.Generator) -> Tensor:
    """Return a tensor with up to one unit in the last place added at random to each number."""
    eps = torch.finfo(value.dtype).eps
    noise = torch.rand(value.shape, generator=generator, device=value.device) * 2 - 1
    return (value.float() * (1 + eps * noise)).to(value.dtype)


def _scale(values: Tensor) -> Tensor:
    """Return the usual size of each coordinate: a few huge ones must not hide the others."""
    each = values.square().mean(0).sqrt()
    return each.clamp_min(1e-3 * float(each.square().mean().sqrt()) + 1e-30)


def _distance(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    """Return for each token the root mean square of the difference, in units of ``scale``."""
    return ((a - b) / scale).square().mean(-1).sqrt()


def _within(found: Tensor, rounding: Tensor, tolerance: _Tolerance) -> bool:
    """Return whether a difference is one of rounding; not a number is none."""
    typical, worst = float(found.square().mean().sqrt()), float(found.max())
    usual, most = float(rounding.square().mean().sqrt()), float(rounding.max())
    return typical <= min(tolerance.typical * usual, tolerance.most_typical) and worst <= min(
        tolerance.worst * most, tolerance.most_worst
    )
