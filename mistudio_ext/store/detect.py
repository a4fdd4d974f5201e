"""What a data file is: format, encoding, delimiter, columns, and where the text is.

Only the beginning of the file is read, so that this answers at once whatever
the size. The answer is shown for confirmation; its ``options`` can be given to
the import as they are, or changed: what a person corrects is then taken for
granted, and everything else is found anew.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.files import FORMATS, split_extension
from mistudio_ext.store.plaintext import (
    decode,
    is_number,
    whole_lines,
)
from mistudio_ext.store.readers import BadRows, Content, Reader, Settings, reader_of
from mistudio_ext.store.readers import dialect as dialects
from mistudio_ext.store.readers.content import refuse_stand_in
from mistudio_ext.store.readers.encoding import spoken
from mistudio_ext.store.readers.numbers import without_null_types
from mistudio_ext.store.readers.settings import refuse_without_effect, text_encoding

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of content that are looked at, and rows that are shown of them.
PROBE_BYTES = 1 << 20
PREVIEW_ROWS = 5
PREVIEW_CHARS = 300

#: Rows that the kinds of the columns are found in.
_LOOKED_AT = 200


def detect(
    path: Path, name: str | None = None, given: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Look at the beginning of a data file.

    Parameters
    ----------
    path
        The file.
    name
        The name that it was uploaded under, where ``path`` has another one.
    given
        What is known of a text file already: ``encoding``, ``delimiter``, ``header``.

    Returns
    -------
    dict
        ``{"format", "compression", "bytes", "columns": [{"name", "kind"}],
        "text_column", "preview": [rows], "problems": [{"line", "message"}],
        "options": {"format", "encoding"?, "delimiter"?, "header"?}}``.

    Raises
    ------
    InvalidInputError
        ``unknown_format``, ``empty_dataset`` or ``bad_option``.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file at {path}.", code="no_such_path", field="path")
    name = name or path.name
    refuse_stand_in(Content(path, name), may_be_html=split_extension(name)[0] == ".txt")
    if path.stat().st_size == 0:
        raise InvalidInputError(f"{name} is empty.", code="empty_dataset", field="path")
    extension, compression = split_extension(name)
    head = Content(path, name).head()
    reader = FORMATS.get(extension, ("", {}))[0] or _sniff(head)
    if head.startswith(b"PAR1"):
        reader = "parquet"
    if given:
        refuse_without_effect(given, [reader], name)
    if reader in ("parquet", "arrow"):
        found = _columnar(path, name, reader)
    elif not reader:
        raise InvalidInputError(
            f"{name} is in no format that can be read as text.",
            code="unknown_format",
            field="path",
            hint=f"Use {', '.join(FORMATS)}.",
        )
    elif (module := reader_of(reader)) is not None:
        found = _look(module, Content(path, name), given or {})
    else:
        found = _textual(head, reader, extension, given or {})
    return {
        "format": reader,
        "compression": compression.removeprefix(".") or None,
        "bytes": path.stat().st_size,
        **found,
    }


def _look(reader: Reader, content: Content, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the import's own reader makes of the beginning of a file."""
    beginning = content.beginning()
    settings = Settings.from_options(given)
    read_as = reader.settle(content, settings)
    notes = [] if read_as.doubt is None else [read_as.doubt.message]
    if looks_like := read_as.settings.looks_like:
        # Shown for confirmation, so the likely encoding is better than U+FFFD.
        notes.append(f"Some bytes are not UTF-8; the file looks like {spoken(looks_like)}.")
        read_as = reader.settle(content, replace(settings, encoding=looks_like))
    bad_rows = BadRows("skip", content.name)
    table = _first_rows(reader, beginning, read_as.settings, bad_rows)
    found = _describe_table(table)
    if bad_rows.count:
        # Broken rows say nothing about the columns, but a person wants to see them.
        kept = BadRows("keep", content.name)
        table = _first_rows(reader, beginning, read_as.settings, kept)
        found["preview"] = _describe_table(table)["preview"]
    return {
        **found,
        "problems": [{"line": n, "message": why} for n, why in bad_rows.listed[:100]],
        "notes": [*read_as.said, *notes, *read_as.warnings],
        "options": read_as.options,
    }


def _first_rows(
    reader: Reader, content: Content, settings: Settings, bad_rows: BadRows
) -> pa.Table:
    import pyarrow as pa

    for table in reader.tables(content, settings, bad_rows):
        if table.num_rows:
            return table.slice(0, _LOOKED_AT)
    return pa.table({name: pa.array([], pa.string()) for name in settings.names or ()})


def _describe_table(table: pa.Table) -> dict[str, Any]:
    rows = table.to_pylist()
    schema = without_null_types(table.schema)
    return {
        "columns": [{"name": item.name, "kind": _kind(item.type)} for item in schema],
        "text_column": cols.detect_text_column(schema, rows),
        "preview": [
            {name: _short(value) for name, value in row.items()} for row in rows[:PREVIEW_ROWS]
        ],
    }


def _sniff(head: bytes) -> str:
    """Return the reader for content without a telling name, "" for bytes that are no text."""
    text, _ = decode(head)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return "json"
    controls = sum(ord(c) < 32 and c not in "\t\r\n\f" for c in text[:4096])
    if controls:
        return ""
    best = dialects.find(
        text, 1, whole=False, delimiters=dialects.DELIMITERS, quotings=("standard", "none")
    )[0]
    return "csv" if best.width > 1 and best.share > 0.5 else "text"


def _textual(head: bytes, reader: str, extension: str, given: dict[str, Any]) -> dict[str, Any]:
    text, encoding = _decoded(head, given.get("encoding"))
    options: dict[str, Any] = {"format": reader, "encoding": encoding}
    problems: list[dict[str, Any]] = []
    rows, problems = _read_json(text, whole=len(head) < PROBE_BYTES)
    return {**_describe(rows), "problems": problems, "options": options}


def _decoded(head: bytes, encoding: Any) -> tuple[str, str]:
    if not encoding:
        return decode(head)
    name = text_encoding(encoding)
    return codecs.getincrementaldecoder(name)("replace").decode(head), name


def _read_json(text: str, *, whole: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if text.lstrip("\ufeff \t\r\n").startswith("["):
        return _read_array(text, whole=whole)
    rows: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    for number, line in enumerate(whole_lines(text), 1):
        try:
            row = json.loads(line.lstrip("\ufeff")) if line.strip() else None
        except ValueError as error:
            problems.append({"line": number, "message": str(error)})
            continue
        if isinstance(row, dict):
            rows.append(row)
        elif row is not None:
            problems.append({"line": number, "message": "it is no JSON object"})
        if len(rows) >= 200:
            break
    return rows, problems[:100]


def _read_array(text: str, *, whole: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    decoder = json.JSONDecoder()
    rows: list[dict[str, Any]] = []
    at = text.index("[") + 1
    while len(rows) < 200:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            break
        try:
            item, at = decoder.raw_decode(text, at)
        except ValueError as error:
            line = text.count("\n", 0, at) + 1
            return rows, [{"line": line, "message": str(error)}] if whole else []
        rows.append(item if isinstance(item, dict) else {"text": item})
    return rows, []


def _describe(rows: list[dict[str, Any]], names: list[str] | None = None) -> dict[str, Any]:
    import pyarrow as pa

    if names is None:
        names = list(dict.fromkeys(name for row in rows for name in row))
    fields, known = [], {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            column = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            column = pa.array([None if v is None else cols.as_text(v) for v in values])
        if column.type == pa.string() and all(is_number(v) for v in values if v):
            known[name] = "number"
        fields.append(pa.field(name, column.type))
        known.setdefault(name, _kind(column.type))
    schema = pa.schema([field for field in fields if known[field.name] != "number"])
    texts = [{k: v for k, v in row.items() if isinstance(v, str)} for row in rows]
    preview = [{name: _short(row.get(name)) for name in names} for row in rows[:PREVIEW_ROWS]]
    return {
        "columns": [{"name": name, "kind": known[name]} for name in names],
        "text_column": cols.detect_text_column(schema, texts),
        "preview": preview,
    }


def _kind(dtype: Any) -> str:
    import pyarrow.types as t

    number = t.is_integer(dtype) or t.is_floating(dtype) or t.is_boolean(dtype)
    return "number" if number else cols.kind(dtype)


def _columnar(path: Path, name: str, reader: str) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if reader == "parquet":
            file = pq.ParquetFile(path)
            schema = file.schema_arrow
            batch = next(file.iter_batches(batch_size=PREVIEW_ROWS), None)
        else:
            with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
                schema = stream.schema
                batch = next(iter(stream), None)
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInputError(
            f"{name} cannot be read as {reader}: {error}",
            code="broken_file",
            field="path",
            hint="Check that the file is complete.",
        ) from error
    rows = [] if batch is None else batch.slice(0, PREVIEW_ROWS).to_pylist()
    return {
        "columns": [{"name": item.name, "kind": _kind(item.type)} for item in schema],
        "text_column": cols.detect_text_column(schema, rows),
        "preview": [{key: _short(value) for key, value in row.items()} for row in rows],
        "problems": [],
        "options": {"format": reader},
    }


def _short(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, bool)):
        return value
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    text = cols.as_text(value)
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"
