"""Job ``tokenization.export``: flat token ids as a ``save_to_disk`` folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mistudio_ext.paths import DataFolder
from mistudio_ext.room import DiskLimits
from mistudio_ext.store.tokens import Tokenization
from mistudio_ext.workers.disk import DiskGuard, making

if TYPE_CHECKING:
    import pyarrow as pa

    from mistudio_ext.workers.reporter import Reporter

#: Token places that are written at once; bounds the memory.
BATCH_PLACES = 1 << 20


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Write a tokenization as rows of ``input_ids`` and ``attention_mask``.

    Parameters
    ----------
    spec
        ``{"data_dir", "tokenization": {"id", "path"}, "padding": max_length|none,
        "path"}``. ``max_length`` pads every sample to the context with the
        tokenizer's padding token (its EOS, then 0, if it has none).
    report
        Told about samples.

    Returns
    -------
    dict
        ``{"path", "n_rows", "bytes"}``.
    """
    from datasets import Dataset, Features, Sequence, Value

    tokens = Tokenization(Path(spec["tokenization"]["path"]))
    padded = spec["padding"] == "max_length"
    context = int(tokens.manifest["settings"]["context"])
    data = DataFolder(Path(spec["data_dir"]))
    guard = DiskGuard(data.root, DiskLimits.of(spec))
    places = len(tokens) * context if padded else tokens.n_tokens
    guard.require(places * 5, "The export")
    features = Features(
        {
            "input_ids": Sequence(Value("int32"), length=context if padded else -1),
            "attention_mask": Sequence(Value("int8"), length=context if padded else -1),
            "row": Value("int64"),
        }
    )
    name = f"export-{spec['tokenization']['id']}"
    with making(data.temporary / name, Path(spec["path"])) as folder:
        from datasets.arrow_writer import ArrowWriter

        report.phase("exporting")
        shard = folder / "data-00000-of-00001.arrow"
        with ArrowWriter(path=str(shard), features=features) as writer:
            for end, table in _tables(tokens, context if padded else None, features.arrow_schema):
                guard.before(table.nbytes, "The export")
                writer.write_table(table)
                report.progress(end, len(tokens), "samples")
            writer.finalize()
        guard.require(shard.stat().st_size, "The export")  # It is copied once more.
        Dataset.from_file(str(shard)).save_to_disk(str(folder / "saved"))
        shard.unlink()
        for path in list((folder / "saved").iterdir()):
            path.rename(folder / path.name)
        (folder / "saved").rmdir()
        n_bytes = sum(path.stat().st_size for path in folder.iterdir())
    return {"path": spec["path"], "n_rows": len(tokens), "bytes": n_bytes}


def pad_token(tokens: Tokenization) -> int:
    """Return the id that fills a padded sample."""
    facts = tokens.manifest["tokenizer"]
    wanted = (facts.get("pad_token_id"), facts.get("eos_token_id"))
    return next((int(token) for token in wanted if token is not None), 0)


def _tables(
    tokens: Tokenization, context: int | None, schema: pa.Schema
) -> Iterator[tuple[int, pa.Table]]:
    """Yield ``(samples so far, rows)``; with ``context`` every row has that length."""
    import pyarrow as pa

    pad = pad_token(tokens)
    step = max(1, BATCH_PLACES // (context or int(tokens.manifest["settings"]["context"])))
    for first in range(0, len(tokens), step):
        last = min(first + step, len(tokens))
        bounds = np.asarray(tokens.offsets[first : last + 1])
        flat = np.asarray(tokens.tokens[bounds[0] : bounds[-1]], np.int32)
        lengths = np.diff(bounds)
        if context is None:
            ends = pa.array((bounds - bounds[0]).astype(np.int32))
            ids = pa.ListArray.from_arrays(ends, pa.array(flat))
            mask = pa.ListArray.from_arrays(ends, pa.array(np.ones(len(flat), np.int8)))
        else:
            there = np.arange(context) < lengths[:, None]
            grid = np.full(there.shape, pad, np.int32)
            grid[there] = flat
            ids = pa.FixedSizeListArray.from_arrays(pa.array(grid.ravel()), context)
            values = pa.array(there.ravel().astype(np.int8))
            mask = pa.FixedSizeListArray.from_arrays(values, context)
        rows = pa.array(np.asarray(tokens.rows[first:last], np.int64))
        yield last, pa.table([ids, mask, rows], names=schema.names).cast(schema)
