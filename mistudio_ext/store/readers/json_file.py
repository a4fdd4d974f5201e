"""JSON: lines, one array, documents over several lines, or an object with the rows in a field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store.files import split_extension
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import HEAD_BYTES, Content
from mistudio_ext.store.readers.encoding import (
    FoundEncoding,
    beginning_of,
    find_encoding,
    fix_encoding,
    spoken,
)
from mistudio_ext.store.readers.json_document import (
    EndOfBeginning,
    document_tables,
    fields_with_rows,
)
from mistudio_ext.store.readers.json_lines import line_tables
from mistudio_ext.store.readers.json_rows import FIND_END
from mistudio_ext.store.readers.settings import ReadAs, Settings

if TYPE_CHECKING:
    import pyarrow as pa

#: Extensions that promise one row in each line.
_LINES = (".jsonl", ".ndjson")


def settle(content: Content, settings: Settings) -> ReadAs:
    """Find the encoding, and where the rows are."""
    head = content.head()
    likely = find_encoding(head)
    encoding = settings.encoding or _name(likely)
    looks_like = likely.looks_like if settings.encoding is None else None
    settings = replace(settings, encoding=encoding, looks_like=looks_like)
    options = {"format": "json", "encoding": encoding}
    found = ReadAs(settings, options, said=("JSON", spoken(encoding)))
    text = beginning_of(content, encoding)
    is_cut = len(head) >= HEAD_BYTES
    field = settings.extra.get("field")
    if field is None and _has_lines(text, split_extension(content.name)[0] in _LINES, is_cut):
        return _laid_out(found, "lines")
    if field is None and text.lstrip()[:1] == "[":
        return _laid_out(found, "document")
    try:
        fields = fields_with_rows(replace(content, limit=None), encoding)
    except (InvalidInputError, EndOfBeginning):
        fields = None  # What is broken is reported, with its line, when it is read.
    if field is not None:
        return _in_field(found, str(field), fields, content)
    if fields is None or split_extension(content.name)[0] in _LINES:
        return _laid_out(found, "document")
    return _wrapped(found, *fields, content)


def tables(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[pa.Table]:
    """Yield the rows.

    Broken is a document that is no object or is not in the encoding, in which a key stands
    twice, or with half of a surrogate pair. ``keep`` puts the source of what is no object into
    the text column, U+FFFD for what is no character, and takes a key's last value.
    """
    encoding = settings.encoding or "utf-8"
    bad_rows.hint = fix_encoding(settings.looks_like)
    bad_rows.looks_like = settings.looks_like
    if settings.extra.get("layout", "lines") == "lines":
        yield from line_tables(content, encoding, bad_rows, settings.text_column)
        return
    field = settings.extra.get("field")
    yield from document_tables(content, encoding, bad_rows, settings.text_column, field)


def _name(found: FoundEncoding) -> str:
    """Return the name of an encoding; a byte order mark tells the order of bytes again."""
    return found.name[:6] if found.bom and found.name[:6] != "utf-8" else found.name


def _laid_out(found: ReadAs, layout: str, **more: Any) -> ReadAs:
    extra = {**found.settings.extra, "layout": layout, **more}
    return replace(found, settings=replace(found.settings, extra=extra))


def _has_lines(text: str, promised: bool, is_cut: bool) -> bool:
    """Return whether each line of a file is a document of its own.

    So it is if the first line is one, and another follows or the name says so; or if what
    stands there is no document over several lines either, so that its first line is broken.
    """
    body = text.lstrip()
    first, _, rest = body.partition("\n")
    try:
        _, end = FIND_END(first)
    except RecursionError:
        return promised
    except json.JSONDecodeError:
        return body[:1] != "[" and not _spans_lines(body, first, is_cut)
    if first[:1] == "[":
        return False
    return promised or bool(rest.strip()) or bool(first[end:].strip())


def _spans_lines(body: str, first: str, is_cut: bool) -> bool:
    """Return whether a document begins in the first line and goes on in the next ones."""
    if "\n" not in body:
        return is_cut
    try:
        FIND_END(body)
    except RecursionError:
        return True
    except json.JSONDecodeError as error:
        if is_cut and (error.pos + 16 > len(body) or error.msg.startswith("Unterminated")):
            return True
        return first.rstrip()[-1:] in ("{", "[", ",", ":") and error.lineno > 2
    return True


def _wrapped(found: ReadAs, lists: dict[str, bool], others: list[str], content: Content) -> ReadAs:
    """Return how the only object of a file is read: as one row, or the rows in a field of it."""
    if not lists or any(lists.values()):
        return _laid_out(found, "document")
    if len(lists) > 1:
        doubt = InvalidInputError(
            f"{content.name} is one object with several lists of rows.",
            code="field_needed",
            field="field",
            hint=f"Choose the field with the rows, one of {', '.join(lists)}, with field=….",
        )
        return replace(_laid_out(found, "document"), doubt=doubt)
    field = next(iter(lists))
    found = _laid_out(found, "document", field=field)
    said = f"the rows are those of the field '{field}'"
    if others:
        said += f"; {', '.join(others)} {'is' if len(others) == 1 else 'are'} left out"
    return replace(
        found,
        options={**found.options, "field": field},
        said=(*found.said, f"rows in '{field}'"),
        warnings=(said,),
    )


def _in_field(
    found: ReadAs, field: str, fields: tuple[dict[str, bool], list[str]] | None, content: Content
) -> ReadAs:
    """Return how the rows in a field that was named are read."""
    names = [] if fields is None else [*fields[0], *fields[1]]
    if field not in names:
        raise NotFoundError(
            f"{content.name} has no field '{field}' with rows.",
            code="no_such_field",
            field="field",
            hint=f"Its fields are {', '.join(names)}."
            if names
            else "Only a file that is one object has its rows in a field.",
        )
    return _laid_out(found, "document", field=field)
