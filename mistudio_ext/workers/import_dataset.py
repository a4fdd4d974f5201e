"""Job ``dataset.import``: bring a dataset into the data folder as Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext import source_files
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.paths import DataFolder
from mistudio_ext.room import DiskLimits
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split
from mistudio_ext.store.leftovers import claimed
from mistudio_ext.store.readers import BadRows
from mistudio_ext.store.readers.names import require_names
from mistudio_ext.workers.dataset_sources import Source, SplitSource, empty_dataset, open_path
from mistudio_ext.workers.dataset_writer import SplitWriter
from mistudio_ext.workers.disk import DiskGuard, human, making

if TYPE_CHECKING:
    import pyarrow as pa

    from mistudio_ext.workers.reporter import Reporter

#: Rows that the text column is looked for in.
_PROBE_ROWS = 200


#: Files that are left out and named, for each reason.
NAMED_FILES = 10


@dataclass(frozen=True)
class Request:
    """What is asked for: the part ``dataset`` of the job's spec."""

    id: str
    name: str
    source: str
    path: Path
    source_path: Path | None
    repo_id: str | None
    config: str | None
    revision: str | None
    splits: tuple[str, ...] | None
    columns: tuple[str, ...] | None
    max_rows: int | None
    text_column: str | None
    endpoint: str | None
    options: dict[str, Any]

    @property
    def bad_rows(self) -> str:
        """What becomes of rows that cannot be read: ``stop``, ``skip`` or ``keep``."""
        choice = str(self.options.get("bad_rows", "stop"))
        if choice not in ("stop", "skip", "keep"):
            raise InvalidInputError(
                f"bad_rows cannot be {choice!r}.",
                code="bad_option",
                field="bad_rows",
                hint="Choose stop, skip or keep.",
            )
        return choice

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Request:
        """Build from JSON."""
        source_path = data.get("source_path")
        return cls(
            id=data["id"],
            name=data.get("name") or data["id"],
            source=data["source"],
            path=Path(data["path"]),
            source_path=Path(source_path).expanduser() if source_path else None,
            repo_id=data.get("repo_id"),
            config=data.get("config"),
            revision=data.get("revision"),
            splits=tuple(data["splits"]) if data.get("splits") else None,
            columns=tuple(data["columns"]) if data.get("columns") else None,
            max_rows=data.get("max_rows"),
            text_column=data.get("text_column"),
            endpoint=data.get("endpoint"),
            options=dict(data.get("options") or {}),
        )


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Import a dataset.

    Parameters
    ----------
    spec
        ``{"data_dir", "disk_reserve_bytes", "dataset": {"id", "name", "source",
        "path", "source_path", "repo_id", "config", "revision", "splits",
        "columns", "max_rows", "text_column", "endpoint", "options"}}``.
        ``options``, all of them optional: ``format`` (``json``, ``csv``,
        ``text``, ``parquet``, ``arrow``), ``encoding``, ``delimiter``, ``header``, ``quoting``
        and ``types`` of a file, as ``store.detect`` finds them, and ``bad_rows``:
        ``stop`` at the first row that is broken, ``skip`` them, or ``keep`` what can be read
        of them; see :class:`mistudio_ext.store.readers.BadRows`.
    report
        Told about phases, rows and bytes.

    Returns
    -------
    dict
        ``{"splits", "columns", "text_column", "n_rows", "n_bytes",
        "fingerprint", "config", "revision", "bad_rows": [{"file", "count",
        "kept", "lines"}], "options", "signature"}``. ``options`` is how the files were read, as
        far as that is the same for all; ``signature`` tells which files they were.
        ``text_column`` is None for a dataset of token ids
        (``input_ids``).
    """
    request = Request.from_dict(spec["dataset"])
    limits = DiskLimits.of(spec)
    guard = DiskGuard(Path(spec["data_dir"]), limits)
    temporary = DataFolder(Path(spec["data_dir"])).temporary
    report.phase("reading", f"Looking at {request.name}")
    with (
        claimed(temporary / f"{request.id}-scratch") as scratch,
        making(temporary / request.id, request.path) as folder,
        _steady(request) as signature,
    ):
        source = _open(request, scratch, limits, report)
        _report_left_out(source, report)
        watching = source.watch(request.bad_rows)
        splits = _write(source, request, folder, guard, report)
        return {
            **_finish(folder, splits, request, source),
            "bad_rows": _found_in(watching, report),
            "options": _read_as(source, report),
            "signature": signature,
        }


def _steady(request: Request) -> AbstractContextManager[str | None]:
    """Watch the files that are read; what is fetched from the Hub has a revision."""
    if request.source == "hub" or request.source_path is None:
        return nullcontext()
    return source_files.unchanged(request.source_path)


def _open(request: Request, scratch: Path, limits: DiskLimits, report: Reporter) -> Source:
    if request.source == "hub":
        from mistudio_ext.workers.hub_datasets import HubRequest, open_repository

        wanted = HubRequest(
            repo_id=request.repo_id or "",
            config=request.config,
            revision=request.revision,
            splits=request.splits,
            max_rows=request.max_rows,
            endpoint=request.endpoint,
            options=request.options,
            text_column=request.text_column,
        )
        return open_repository(wanted, scratch, limits, report)
    if request.source_path is None:
        raise InvalidInputError("No file or folder was given.", code="no_path", field="path")
    return open_path(
        request.source_path,
        config=request.config,
        splits=request.splits,
        scratch=scratch,
        options=request.options,
        text_column=request.text_column,
    )


def _report_left_out(source: Source, report: Reporter) -> None:
    """Name the files that are not read, and why."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in source.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        more = f" and {len(names) - NAMED_FILES:,} more" if len(names) > NAMED_FILES else ""
        listed = ", ".join(names[:NAMED_FILES])
        report.warn("left_out", f"Left out: {listed}{more} ({reason}).")


def _found_in(watching: Sequence[BadRows], report: Reporter) -> list[dict[str, Any]]:
    """Report the broken rows that the readers met."""
    met = [bad_rows for bad_rows in watching if bad_rows.count]
    for bad_rows in met:
        report.warn("bad_rows", bad_rows.sentence())
    for bad_rows in watching:
        if bad_rows.note:
            report.warn("read_as", f"{bad_rows.file}: {bad_rows.note}.")
    return [bad_rows.summary() for bad_rows in met]


def _read_as(source: Source, report: Reporter) -> dict[str, Any]:
    """Return how all files were read, as options of a request; report what is unusual."""
    found = [file.read_as for file in source.files() if file.read_as is not None]
    names = [file.path.name for file in source.files() if file.read_as is not None]
    unusual: dict[str, list[str]] = {}
    for name, read_as in zip(names, found, strict=True):
        for warning in read_as.warnings:
            unusual.setdefault(warning, []).append(name)
    for warning, files in unusual.items():
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        report.warn("read_as", f"{files[0]}{more}: {warning}.")
    if not found:
        return {}
    first = found[0].options
    return {k: v for k, v in first.items() if all(each.options.get(k) == v for each in found)}


def _write(
    source: Source, request: Request, folder: Path, guard: DiskGuard, report: Reporter
) -> list[dict[str, Any]]:
    totals = [_limited(split.known_rows(), request.max_rows) for split in source.splits]
    known = [total for total in totals if total is not None]
    total = sum(known) if len(known) == len(totals) else None
    if request.max_rows is None:
        estimate = sum(split.estimated_bytes() for split in source.splits)
        guard.require(estimate, f"The dataset {request.name}")
    report.phase("writing", f"Reading {', '.join(split.name for split in source.splits)}")
    done = n_bytes = 0
    written: list[dict[str, Any]] = []
    for split in source.splits:
        writer = SplitWriter(folder / split.name, guard)
        writer.features = split.features
        writer.written_as_text = split.written_as_text
        for n_rows in writer.write_all(_chosen(split, request)):
            size = human(n_bytes + writer.n_bytes)
            report.progress(done + n_rows, total, "rows", f"{split.name}: {size} written")
        if writer.n_rows == 0:
            report.warn("empty_split", f"The split '{split.name}' has no rows.")
            writer.discard()
            continue
        written.append(writer.close())
        done += writer.n_rows
        n_bytes += writer.n_bytes
    if not written:
        raise empty_dataset(request.name)
    said = next((f.read_as.said for f in source.files() if f.read_as is not None), ())
    read_as = f", read as: {', '.join(said)}" if said else ""
    report.progress(done, done, "rows", f"{human(n_bytes)} written{read_as}")
    return written


def _limited(n_rows: int | None, max_rows: int | None) -> int | None:
    return n_rows if n_rows is None or max_rows is None else min(n_rows, max_rows)


def _chosen(split: SplitSource, request: Request) -> Iterator[pa.Table]:
    """Yield the chosen columns of the first rows."""
    left = request.max_rows
    for table in split.tables():
        require_names(table.schema)
        if request.columns is not None:
            table = table.select([_require(table, name, "columns") for name in request.columns])
        if request.text_column is not None:
            _require(table, request.text_column, "text_column")
        if left is not None:
            table = table.slice(0, left)
            left -= table.num_rows
        if table.num_rows:
            yield table
        if left == 0:
            return


def _require(table: pa.Table, name: str, field: str) -> str:
    if name not in table.schema.names:
        raise InvalidInputError(
            f"The dataset has no column '{name}'.",
            code="no_such_column",
            field=field,
            hint=f"Its columns are {', '.join(table.schema.names)}.",
            remedies=_as_text(table.schema.names) if field == "text_column" else (),
        )
    return name


def _as_text(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the columns that a retry can take for the text; of many, a few and a question."""
    few = [
        {"label": f"Use '{name}' as text", "change": {"text_column": name}} for name in names[:5]
    ]
    more = [{"label": "Use another column", "ask": "text_column"}] if len(names) > 5 else []
    return [*few, *more]


def _finish(
    folder: Path, splits: Sequence[dict[str, Any]], request: Request, source: Source
) -> dict[str, Any]:
    import xxhash

    listing = {"splits": [split["name"] for split in splits]}
    (folder / "dataset_dict.json").write_text(json.dumps(listing))
    first = Split(folder / splits[0]["name"])
    text_column = request.text_column
    if text_column is None:
        text_column = cols.detect_text_column(first.schema, _probe(first))
    if text_column is None and cols.IDS_NAME in first.schema.names:
        dtype = first.schema.field(cols.IDS_NAME).type
        if cols.kind(dtype) != "ids":
            raise cols.no_ids(dtype)
    elif text_column is None:
        raise InvalidInputError(
            "No column of the dataset holds text.",
            code="no_text_column",
            field="text_column",
            hint=f"Its columns are {', '.join(first.schema.names)}; name one to use it as text.",
            remedies=_as_text(first.schema.names),
        )
    digest = xxhash.xxh3_128()
    for split in splits:
        digest.update(f"{split['name']}={split['checksum']};".encode())
    return {
        "splits": [{key: split[key] for key in ("name", "n_rows", "n_bytes")} for split in splits],
        "columns": [
            {"name": item.name, "dtype": cols.type_name(item.type)} for item in first.schema
        ],
        "text_column": text_column,
        "n_rows": sum(split["n_rows"] for split in splits),
        "n_bytes": sum(split["n_bytes"] for split in splits),
        "fingerprint": digest.hexdigest(),
        "config": source.config,
        "revision": source.revision,
    }


def _probe(split: Split) -> list[dict[str, Any]]:
    """Return rows of the columns whose values tell which of them holds the text."""
    wanted = [
        item.name
        for item in split.schema
        if cols.kind(item.type) == "text" or cols.is_json(item.type)
    ]
    return split.rows(0, _PROBE_ROWS, wanted) if wanted else []
