"""Faults made on purpose in a worker, to see that the oracle objects to each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

#: Name -> what puts the fault into this process.
MUTATIONS: dict[str, Callable[[], None]] = {}


def apply(name: str) -> None:
    """Break this process."""
    MUTATIONS[name]()


def _mutation(function: Callable[[], None]) -> Callable[[], None]:
    MUTATIONS[function.__name__] = function
    return function


@_mutation
def padding_tells() -> None:
    """Ragged rows share a batch, and padding is no longer after them: rows are shifted by one."""
    import numpy as np

    from mistudio_ext.engine import batches, lanes

    real = batches.padded_ids

    def shifted(tokens: Any, offsets: Any, batch: Any) -> Any:
        ids = real(tokens, offsets, batch)
        return np.roll(ids, 1, axis=1) if batch.ragged else ids

    for module in (batches, lanes):
        if hasattr(module, "padded_ids"):
            module.padded_ids = shifted  # type: ignore[attr-defined]


@_mutation
def next_layer() -> None:
    """``resid_post`` of a block is read one block too late (the last where it is).

    That goes wrong after the engine's own checks, which would refuse the hook point.
    """
    from dataclasses import replace

    from mistudio_ext.engine import verify

    real = verify.verify

    def wrong(*given: Any) -> Any:
        found, checks = real(*given)
        posts = [p for p in found.points.values() if p.short == "resid_post"]
        for a, b in itertools.pairwise(posts):
            found.points[a.name] = replace(a, read=b.read)
        return found, checks

    verify.verify = wrong  # type: ignore[assignment]


@_mutation
def bfloat16_weights() -> None:
    """Weights go through bfloat16, whatever format was asked for."""
    import torch

    from mistudio_ext.engine import load

    real = load.load_model

    def rounded(*args: Any, **kwargs: Any) -> Any:
        loaded = real(*args, **kwargs)
        with torch.no_grad():
            for parameter in loaded.model.parameters():
                if parameter.is_floating_point():
                    parameter.copy_(parameter.bfloat16())
        return loaded

    _everywhere("load_model", real, rounded)


@_mutation
def one_row_less() -> None:
    """The last row of an import is lost."""
    from mistudio_ext.workers.dataset_writer import SplitWriter

    real = SplitWriter.write_all

    def short(self: Any, tables: Any) -> Any:
        return real(self, (table.slice(0, max(table.num_rows - 1, 1)) for table in tables))

    SplitWriter.write_all = short  # type: ignore[method-assign]


@_mutation
def texts_stripped() -> None:
    """Blanks around texts are lost in an import."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mistudio_ext.workers.dataset_writer import SplitWriter

    real = SplitWriter.write_all

    def strip(table: Any) -> Any:
        for i, name in enumerate(table.column_names):
            if pa.types.is_string(table.schema.field(i).type):
                table = table.set_column(i, name, pc.utf8_trim_whitespace(table.column(i)))
        return table

    def stripped(self: Any, tables: Any) -> Any:
        return real(self, map(strip, tables))

    SplitWriter.write_all = stripped  # type: ignore[method-assign]


@_mutation
def ids_off_by_one() -> None:
    """Token ids are those of the next token in the vocabulary."""
    from mistudio_ext.workers.token_rows import RowReader

    real = RowReader._encode

    def next_ones(self: Any, *args: Any) -> Any:
        rows = real(self, *args)
        return [ids and [token + (token > 5) for token in ids] for ids in rows]

    RowReader._encode = next_ones  # type: ignore[method-assign]
    RowReader.flat = property(lambda _: False)  # type: ignore[assignment, method-assign]


@_mutation
def index_without_every_second_word() -> None:
    """The full-text index has the first, third, fifth … word of a text."""
    from mistudio_ext.store import fulltext

    builder = next(c for c in vars(fulltext).values() if hasattr(c, "add") and hasattr(c, "finish"))
    real = builder.add

    def less(self: Any, texts: Any, *args: Any) -> Any:
        return real(self, [" ".join(text.split()[::2]) for text in texts], *args)

    builder.add = less


def _everywhere(name: str, real: Any, wrong: Any) -> None:
    """Replace a function in every module of the product that has it by name."""
    import importlib
    import sys

    for module in ("engine.load", "engine.inspect", "engine.run", "engine.fallback"):
        importlib.import_module(f"mistudio_ext.{module}")
    for path, module in list(sys.modules.items()):
        if path.startswith("mistudio_ext.") and getattr(module, name, None) is real:
            setattr(module, name, wrong)
