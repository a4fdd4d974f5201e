"""JSON that is no file of lines: one array, documents over several lines, rows in a field.

The text is cut into the documents that are rows while it is read, so that the memory needed is
that of the largest of them.
"""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content, EndsEarlyError
from mistudio_ext.store.readers.encoding import MARKING, text_blocks
from mistudio_ext.store.readers.json_rows import FIND_END, Document, RowTables, rows_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Characters of documents that are turned into tables at once.
_BLOCK_CHARS = 4 << 20

_SPACE = " \t\r\n"


def document_tables(
    content: Content,
    encoding: str,
    bad_rows: BadRows,
    text_column: str | None,
    field: str | None = None,
) -> Iterator[pa.Table]:
    """Yield the rows of a file of documents, of one array, or of one field of an object.

    What follows a mistake between two documents cannot be told apart any more, so that this
    stops the import whatever was chosen for broken rows.
    """
    rows = RowTables(encoding, bad_rows, text_column)
    waiting: list[Document] = []
    size = 0
    for document in _until_cut(_rows(Scanner(content, encoding), field)):
        waiting.append(document)
        size += len(document[1])
        if size >= _BLOCK_CHARS or (content.limit is not None and size > content.limit // 4):
            yield from rows.tables(rows_of(waiting))
            waiting, size = [], 0
    if waiting:
        yield from rows.tables(rows_of(waiting))


def _until_cut(documents: Iterator[Document]) -> Iterator[Document]:
    with contextlib.suppress(EndOfBeginning):
        yield from documents


def _rows(scanner: Scanner, field: str | None) -> Iterator[Document]:
    if field is not None:
        for key in scanner.members():
            if key == field:
                yield from _items(scanner)
            else:
                scanner.value()
        return
    while mark := scanner.peek():
        if mark == "[":
            yield from _items(scanner)
        else:
            yield scanner.value()


def _items(scanner: Scanner) -> Iterator[Document]:
    """Yield the items of an array; one that is a text alone is the text of its row."""
    for line, source in scanner.items():
        yield line, f'{{"text": {source}}}' if source[0] == '"' else source


def fields_with_rows(content: Content, encoding: str) -> tuple[dict[str, bool], list[str]] | None:
    """Return the fields of a file's only object that can have its rows, and the other fields.

    Returns
    -------
    tuple or None
        Of each field that is a list of objects, whether these are turns of a chat; None if
        the file is not one object.
    """
    scanner = Scanner(content, encoding)
    lists: dict[str, bool] = {}
    others: list[str] = []
    for key in scanner.members():
        if scanner.peek() != "[":
            scanner.value()
            others.append(key)
            continue
        first = None
        are_objects = True
        for _, source in scanner.items():
            first = source if first is None else first
            are_objects = are_objects and source[0] == "{"
        if first is not None and are_objects:
            lists[key] = bool({"role", "from"} & FIND_END(first)[0].keys())
        else:
            others.append(key)
    return None if scanner.peek() else (lists, others)


class EndOfBeginning(Exception):  # noqa: N818
    """Only the beginning of a file is read, and ends here."""


class Scanner:
    """Reads JSON value by value, without keeping more than one.

    Parameters
    ----------
    content, encoding
        The file.
    """

    def __init__(self, content: Content, encoding: str) -> None:
        self._name = content.name
        self._is_cut = content.limit is not None and len(content.head()) >= content.limit
        self._blocks = text_blocks(content, encoding)
        self._decode = codecs.getincrementaldecoder("utf-8")(MARKING).decode
        self._find_end = FIND_END
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_whole = False

    def peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            rest = len(self._text)
            at = self._at
            while at < rest and self._text[at] in _SPACE:
                at += 1
            self._advance(at)
            if at < rest:
                return self._text[at]
            if not self._more():
                return ""

    def value(self) -> Document:
        """Return the next value: the line where it begins, and its source."""
        self.peek()
        while True:
            try:
                _, end = self._find_end(self._text, self._at)
            except RecursionError as error:
                raise self._broken("its values are nested too deeply", self._at) from error
            except json.JSONDecodeError as error:
                if self._may_go_on(error) and self._more():
                    continue
                raise self._broken(f"{error.msg[:1].lower()}{error.msg[1:]}", error.pos) from error
            # A number goes on for as long as digits follow.
            if end < len(self._text) or not self._more():
                line, source = self._line, self._text[self._at : end]
                self._advance(end)
                return line, source

    def items(self) -> Iterator[Document]:
        """Yield the items of the array that begins here."""
        self._expect("[")
        mark = "," if self.peek() != "]" else self._expect("]")
        while mark == ",":
            yield self.value()
            mark = self._expect(",", "]")

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that begins here; the caller reads each value."""
        self._expect("{")
        mark = "," if self.peek() != "}" else self._expect("}")
        while mark == ",":
            key = json.loads(self.value()[1])
            self._expect(":")
            yield str(key)
            mark = self._expect(",", "}")

    def _expect(self, *marks: str) -> str:
        found = self.peek()
        if found not in marks or not found:
            missing = " or ".join(f"'{mark}'" for mark in marks)
            raise self._broken(f"{missing} is missing", self._at)
        self._advance(self._at + 1)
        return found

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Return whether what is wrong may be that not all of a value was read yet."""
        return error.msg.startswith("Unterminated string") or error.pos + 16 > len(self._text)

    def _advance(self, at: int) -> None:
        self._line += self._text.count("\n", self._at, at)
        self._at = at

    def _more(self) -> bool:
        """Read on; as much again as is there, so that long values are not looked at often."""
        if self._is_whole:
            return False
        pieces = [self._text[self._at :]]
        wanted = len(pieces[0])
        self._at = 0
        size = 0
        try:
            while size == 0 or size < wanted:
                block = next(self._blocks, None)
                if block is None:
                    self._is_whole = True
                    pieces.append(self._decode(b"", True))
                    break
                pieces.append(self._decode(block))
                size += len(pieces[-1])
        except EndsEarlyError as error:
            reason = "the file ends early, in the middle of its compressed data"
            raise self._broken(reason, len(self._text)) from error
        self._text = "".join(pieces)
        return True

    def _broken(self, reason: str, at: int) -> Exception:
        if self._is_cut and self._is_whole:
            return EndOfBeginning()
        line = self._line + self._text.count("\n", self._at, at)
        return InvalidInputError(
            f"{self._name}, line {line} cannot be read: {reason}.",
            code="broken_file",
            field="path",
            hint="Fix that line, or write each row as JSON on a line of its own.",
        )
