"""What a data file is: format, encoding, delimiter, columns, and where the text is.

Only the beginning of the file is read, so that this answers at once whatever
the size. The answer is shown for confirmation; its ``options`` can be given to
the import as they are, or changed: what a person corrects is then taken for
granted, and everything else is found anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.cells import cells
from mistudio_ext.store.files import FORMATS, split_extension
from mistudio_ext.store.readers import BadRows, Content, Reader, Settings, reader_of
from mistudio_ext.store.readers import dialect as dialects
from mistudio_ext.store.readers.content import refuse_other_format, refuse_stand_in
from mistudio_ext.store.readers.encoding import find_encoding, spoken
from mistudio_ext.store.readers.numbers import without_null_types
from mistudio_ext.store.readers.settings import refuse_without_effect

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
        "text_column", "preview": [rows], "problems": [{"line", "message"}], "notes": [texts],
        "options": {"format", "encoding"?, "delimiter"?, "header"?, "quoting"?, "types"?}}``.

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
    reader = FORMATS.get(extension) or _sniff(head)
    if head.startswith(b"PAR1"):
        reader = "parquet"
    if given:
        refuse_without_effect(given, [reader], name)
    if reader:
        refuse_other_format(Content(path, name), reader)
    if not reader:
        raise InvalidInputError(
            f"{name} is in no format that can be read as text.",
            code="unknown_format",
            field="path",
            hint=f"Use {', '.join(FORMATS)}.",
        )
    return {
        "format": reader,
        "compression": compression.removeprefix(".") or None,
        "bytes": path.stat().st_size,
        **_look(reader_of(reader), Content(path, name), given or {}),
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
    if bad_rows.note:
        notes.append(f"{content.name}: {bad_rows.note}.")
    if bad_rows.count:
        # Broken rows say nothing about the columns, but a person wants to see them.
        kept = BadRows("keep", content.name)
        table = _first_rows(reader, beginning, read_as.settings, kept)
        found["preview"] = _describe_table(table)["preview"]
    return {
        **found,
        "problems": [{"line": n, "message": why} for n, why in bad_rows.listed[:100]],
        "notes": [*notes, *(f"{content.name}: {warning}." for warning in read_as.warnings)],
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
    schema = without_null_types(table.schema)
    values = [cells(column) for column in table.columns]
    rows = [dict(zip(schema.names, row, strict=True)) for row in zip(*values, strict=True)]
    return {
        "columns": [
            {"name": item.name, "kind": _kind(item.type, column)}
            for item, column in zip(schema, values, strict=True)
        ],
        "text_column": cols.detect_text_column(schema, rows),
        "preview": [
            {name: _short(value) for name, value in row.items()} for row in rows[:PREVIEW_ROWS]
        ],
    }


def _sniff(head: bytes) -> str:
    """Return the reader for content without a telling name, "" for bytes that are no text."""
    text = head.decode(find_encoding(head).name, "replace").removeprefix("\ufeff")
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


def _kind(dtype: Any, values: Sequence[Any] = ()) -> str:
    import pyarrow.types as t

    number = t.is_integer(dtype) or t.is_floating(dtype) or t.is_boolean(dtype)
    return "number" if number else cols.kind(dtype, values)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, bool)):
        return cols.as_json(value)
    text = cols.as_text(value)
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"
