"""Job ``index``: make the full-text index of a dataset's splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.room import DiskLimits
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split, open_split, split_names
from mistudio_ext.store.cells import cells
from mistudio_ext.store.fulltext import Index, IndexBuilder, index_path
from mistudio_ext.store.statistics import dataset_statistics
from mistudio_ext.workers.disk import DiskGuard

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

#: Rows that are committed at once.
BATCH_ROWS = 20_000

_WHAT = "The search index"


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Index a dataset's text.

    An index that is there already is kept. One that an interrupted job left is
    finished; one that is cancelled is removed.

    Parameters
    ----------
    spec
        ``{"data_dir", "disk_reserve_bytes", "dataset": {"id", "path",
        "text_column", "fingerprint", "splits": [names] | None}}``.
    report
        Told about rows.

    Returns
    -------
    dict
        ``{"splits": [{"name", "n_rows", "bytes"}], "column"}``.
    """
    dataset = spec["dataset"]
    column = dataset.get("text_column")
    if column is None:
        raise InvalidInputError(
            "A dataset of token ids has no text to search.", code="no_text_column", field="q"
        )
    folder = Path(dataset["path"])
    names = dataset.get("splits") or split_names(folder)
    splits = [open_split(folder, name) for name in names]
    guard = DiskGuard(folder, DiskLimits.of(spec))
    guard.require(sum(split.n_bytes for split in splits), _WHAT)
    total = sum(split.n_rows for split in splits)
    report.phase("indexing")
    done = 0
    made: list[dict[str, Any]] = []
    for split in splits:
        fingerprint = str(dataset.get("fingerprint") or "")
        text = split.require(column)
        n_bytes = _index(split, text, fingerprint, done, total, guard, report)
        done += split.n_rows
        made.append({"name": split.folder.name, "n_rows": split.n_rows, "bytes": n_bytes})
    report.progress(total, total, "rows")
    report.phase("counting")
    dataset_statistics(folder, column)
    return {"splits": made, "column": column}


def _index(
    split: Split,
    column: str,
    fingerprint: str,
    before: int,
    total: int,
    guard: DiskGuard,
    report: Reporter,
) -> int:
    ready = Index.open(split.folder, column)
    if ready is not None and ready.n_rows == split.n_rows and index_path(split.folder).is_file():
        return index_path(split.folder).stat().st_size
    builder = IndexBuilder(
        split.folder, column, fingerprint, lambda n_bytes: guard.require(n_bytes, _WHAT)
    )
    try:
        waiting: list[str] = []
        for _, batch in split.iter_batches([column], builder.n_rows):
            waiting += map(cols.as_text, cells(batch.column(0)))
            if len(waiting) >= BATCH_ROWS:
                guard.before(sum(map(len, waiting)), _WHAT)
                builder.add(waiting)
                waiting.clear()
                report.progress(before + builder.n_rows, total, "rows", split.folder.name)
        guard.before(sum(map(len, waiting)), _WHAT)
        builder.add(waiting)
        report.check_cancelled()
        return builder.finish()
    except BaseException:
        builder.abandon()
        raise
