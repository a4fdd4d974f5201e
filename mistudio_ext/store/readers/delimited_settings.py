"""How a file of delimited values is written: what a person says, and the rest found out.

Only the beginning of the file is read; ``delimited.py`` reads the rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.files import split_extension
from mistudio_ext.store.readers import dialect as dialects
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import HEAD_BYTES, Content
from mistudio_ext.store.readers.encoding import (
    find_encoding,
    line_blocks,
    repaired,
    spoken,
    text_of,
)
from mistudio_ext.store.readers.settings import ReadAs, Settings


def settle(content: Content, settings: Settings) -> ReadAs:
    """Find out how the values are written, as far as it is not said."""
    head = content.head()
    encoding = find_encoding(head)
    name = settings.encoding or encoding.name
    looks_like = encoding.looks_like if settings.encoding is None else None
    text, whole = _beginning(content, name), len(head) < HEAD_BYTES
    skipped, delimiter = settings.skip_lines, settings.delimiter
    if (named := dialects.sep_line(text)) is not None and delimiter in (None, named):
        skipped, delimiter = skipped + 1, named
    text = _after_lines(text, skipped)
    found = dialects.find(
        text,
        skipped + 1,
        whole=whole,
        delimiters=[delimiter] if delimiter else _candidates(content.name),
        quotings=[settings.quoting] if settings.quoting else ("standard", "backslash", "none"),
    )
    best = found[0]
    header = settings.header
    if header is None:
        header = settings.names is None and dialects.has_header(best.rows)
    names, is_index = _names(best, header, settings)
    _require_columns(settings.types, names)
    settled = replace(
        settings,
        encoding=name,
        delimiter=best.delimiter,
        quoting=best.quoting,
        header=header,
        names=tuple(names),
        skip_lines=skipped,
        looks_like=looks_like,
    )
    options = {
        "format": "csv",
        "encoding": name,
        "delimiter": best.delimiter,
        "header": header,
    }
    if best.quoting != "standard" or settings.quoting:
        options["quoting"] = best.quoting
    if settings.types:
        options["types"] = dict(settings.types)
    return ReadAs(
        settled,
        options,
        said=_said(settled, is_index),
        warnings=_warnings(settings, settled, is_index),
        doubt=_doubt(settings, found, text, content.name) if delimiter is None else None,
    )


def _doubt(
    settings: Settings, found: Sequence[dialects.Dialect], text: str, name: str
) -> InvalidInputError | None:
    """Return why it is not certain how the file is to be read."""
    if settings.header is None and settings.quoting is None and _is_json(text):
        return InvalidInputError(
            f"{name} looks like JSON, not CSV.",
            code="wrong_format",
            field="format",
            hint="Choose the format json. If it is CSV after all, name its delimiter.",
        )
    return dialects.doubt(found, name)


def _is_json(text: str) -> bool:
    """Return whether the first line is an object of JSON, or begins an array of them."""
    first = text.lstrip().partition("\n")[0]
    if re.match(r"\[\s*(\{|$)", first):
        return True
    try:
        return isinstance(json.loads(first, parse_int=str), dict)
    except (ValueError, RecursionError):
        return False


def _candidates(name: str) -> Sequence[str]:
    if split_extension(name)[0] == ".tsv":
        return ("\t", *(mark for mark in dialects.DELIMITERS if mark != "\t"))
    return dialects.DELIMITERS


def _beginning(content: Content, encoding: str) -> str:
    nobody = BadRows("skip", content.name)
    blocks = line_blocks(content.beginning(), encoding, nobody)
    return "".join(text_of(block) for _, block in blocks)


def _after_lines(text: str, count: int) -> str:
    for _ in range(count):
        text = re.sub(r"^[^\r\n]*(?:\r\n|\n|\r|$)", "", text, count=1)
    return text


def _names(best: dialects.Dialect, header: bool, settings: Settings) -> tuple[list[str], bool]:
    if settings.names is not None:
        return list(settings.names), False
    if not header:
        return [f"column_{i}" for i in range(best.width)], False
    return dialects.column_names(
        [repaired(cell) for cell in best.rows[0].cells] if best.rows else []
    )


def _require_columns(types: Mapping[str, str], names: Sequence[str]) -> None:
    for name in types:
        if name not in names:
            raise InvalidInputError(
                f"There is no column '{name}' to give a type.",
                code="no_such_column",
                field="types",
                hint=f"The columns are {', '.join(names[:20])}.",
            )


def _said(settings: Settings, is_index: bool) -> tuple[str, ...]:
    words = [
        f"delimiter {dialects.spoken_delimiter(settings.delimiter or ',')}",
        spoken(settings.encoding or "utf-8"),
        "header" if settings.header else "no header",
    ]
    if settings.quoting == "none":
        words.append("quotation marks are text")
    if settings.quoting == "backslash":
        words.append('\\" is a quotation mark')
    if is_index:
        words.append("first column called index")
    return tuple(words)


def _warnings(given: Settings, found: Settings, is_index: bool) -> tuple[str, ...]:
    """Return what was found out that a person may not expect."""
    warnings = []
    if given.encoding is None and found.encoding == "cp1252":
        warnings.append("it is not UTF-8 and was read as windows-1252")
    if given.header is None and given.names is None and not found.header:
        warnings.append("its first row looks like data, so the columns have no names")
    if given.quoting is None and found.quoting == "none":
        warnings.append("its quotation marks do not balance, so they were read as text")
    if is_index:
        warnings.append("its first column has no name and is called index")
    return tuple(warnings)
