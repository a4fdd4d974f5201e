"""How many tokens a model knows and how many positions it has, found on the model itself.

A config does not tell: RoBERTa's table of 514 positions begins at ``pad_token_id + 1``, so 512
can be used; OPT's has two rows more than its config says; other models compute positions and
have no end. So a short pass shows which rows of which table are read for positions 0, 1, 2, …,
and a pass through the first block, at the limit and one token beyond it, confirms the end.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.engine.structure import (
    Structure,
    claimed_positions,
    parameter_count,
    text_model,
)
from mistudio_ext.engine.tracing import StopForward, example_ids, vocabulary_of

#: Floating-point operations that one confirming pass may take; beyond, the table's rows decide.
_MOST_FLOPS = 1e11
#: Positions that are tried one by one from below where the config names no number.
_LONGEST_TRIED = 4096

_aten = torch.ops.aten
#: Operations that look rows up, with the place of their table and of their indices.
_LOOKUPS = {
    _aten.embedding.default: (0, 1, 0),
    _aten.index_select.default: (0, 2, 1),
}


@dataclass(frozen=True)
class Limits:
    """What a model can be given.

    Attributes
    ----------
    vocabulary
        Token ids are below this.
    context
        Tokens of the longest sample that it was made for, None where nothing says so.
    hard
        Whether it cannot read a longer one at all; else positions are computed and have no end.
    """

    vocabulary: int
    context: int | None
    hard: bool

    @property
    def positions(self) -> int | None:
        """Tokens of the longest sample that can be run; None without an end."""
        return self.context if self.hard else None


_known: weakref.WeakKeyDictionary[nn.Module, Limits] = weakref.WeakKeyDictionary()


def limits_of(model: nn.Module, structure: Structure) -> Limits:
    """Return the limits of a model in memory; they are found once and remembered with it.

    What this catches: a config that promises more positions than the table has, or fewer, and a
    table that is not read from its first row. It cannot see an end beyond which the model runs
    on with other numbers (frequencies that change with the length): that is no limit.

    Where memory does not allow a confirming pass, the table's rows and the config decide.

    Parameters
    ----------
    structure
        What :func:`mistudio_ext.engine.structure.discover` found.
    """
    found = _known.get(model)
    if found is None:
        found = _known[model] = _find(model, structure)
    return found


def _find(model: nn.Module, structure: Structure) -> Limits:
    config = getattr(model, "config", None)
    vocabulary = vocabulary_of(config, model)
    claimed = claimed_positions(config)
    table = _rows_for_positions(model, structure)
    end = table or claimed
    if end is None:
        return Limits(vocabulary, None, hard=False)
    device = structure.trace.input_ids.device
    if not _affordable(structure, end + 1):
        return Limits(vocabulary, end, hard=table is not None)

    def runs(length: int) -> bool:
        return _runs(model, structure, length)

    try:
        return _confirmed(runs, end, table, on_cpu=device.type == "cpu", vocabulary=vocabulary)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return Limits(vocabulary, end, hard=table is not None)


def _confirmed(
    runs: Callable[[int], bool], end: int, table: int | None, *, on_cpu: bool, vocabulary: int
) -> Limits:
    """Return the limits after passes at the end and one token beyond it."""
    if not runs(end):
        if not on_cpu:
            return Limits(vocabulary, end, hard=True)
        return Limits(vocabulary, _largest(runs, end), hard=True)
    if table is not None:
        return Limits(vocabulary, table, hard=True)
    # On a GPU a row that is not there ends the process' use of the device: it is not tried.
    return Limits(vocabulary, end, hard=on_cpu and not runs(end + 1))


def _largest(runs: Callable[[int], bool], beyond: int) -> int:
    """Return the largest length that runs, below one that does not."""
    low, high = 1, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if runs(middle) else (low, middle)
    return low


def _affordable(structure: Structure, length: int) -> bool:
    if not structure.blocks:
        return length <= _LONGEST_TRIED
    block = structure.blocks[0]
    width = structure.d_model or 1
    return 2.0 * parameter_count(block.module) * length + 4.0 * width * length**2 <= _MOST_FLOPS


def _runs(model: nn.Module, structure: Structure, length: int) -> bool:
    """Return whether so many tokens go through everything up to the end of the first block."""
    device = str(structure.trace.input_ids.device)
    ids = example_ids(model.config, batch=1, length=length, seed=3, device=device)
    try:
        with torch.inference_mode(), _first_block_only(structure):
            text_model(model)(input_ids=ids, use_cache=False)
    except StopForward:
        return True
    except (RuntimeError, MemoryError, IndexError, ValueError, AssertionError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return True


@contextmanager
def _first_block_only(structure: Structure) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise StopForward

    handles = [block.module.register_forward_hook(stop) for block in structure.blocks[:1]]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rows_for_positions(model: nn.Module, structure: Structure) -> int | None:
    """Return how many positions the tables have that are read at 0, 1, 2, … beside the tokens'."""
    length = int(structure.trace.input_ids.shape[1])
    if length < 2:
        return None  # One row says nothing about the order of the others.
    own = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())}
    with torch.inference_mode(), _Lookups(own, length) as lookups:
        text_model(model)(input_ids=structure.trace.input_ids, use_cache=False)
    return min(lookups.usable, default=None)


class _Lookups(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which of a model's own tables are read at consecutive rows, one for each position.

    Attributes
    ----------
    usable
        For each such lookup, the rows from the first that was read to the end.
    """

    def __init__(self, own: set[int], length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._own, self._length = own, length
        self.usable: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at it if it looks rows up."""
        if (places := _LOOKUPS.get(func)) is not None and len(args) >= 2:
            table, index = args[places[0]], args[places[1]]
            dim = 0 if places[2] == 0 else int(args[places[2]])
            self._note(table, index, dim)
        elif func is _aten.index.Tensor and len(args[1]) == 1 and args[1][0] is not None:
            self._note(args[0], args[1][0], 0)
        return func(*args, **(kwargs or {}))

    def _note(self, table: Tensor, index: Tensor, dim: int) -> None:
        if index.is_floating_point() or index.dtype == torch.bool or not index.dim():
            return
        if index.shape[-1] != self._length or table.untyped_storage()._cdata not in self._own:
            return
        rows = index.reshape(-1, self._length)
        start = rows[:, :1]
        steps = torch.arange(self._length, device=index.device)
        if bool((rows == start + steps).all()) and bool((start == start[0]).all()):
            self.usable.append(int(table.shape[dim]) - int(start[0]))
