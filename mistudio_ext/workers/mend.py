"""Find the rows of a file that cannot be read, and copy it without them, or with them mended."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mistudio_ext.store.files import open_bytes

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

#: Line numbers that are remembered for the report.
LISTED = 1000


@dataclass
class Mended:
    """A copy that can be read.

    Attributes
    ----------
    path
        The copy, in UTF-8.
    keep
        Whether broken rows are kept, as far as they can be.
    n_bad, n_kept
        Rows that are broken, and how many of them were kept.
    lines
        The first of their line numbers, counted from 1.
    """

    path: Path
    keep: bool = False
    n_bad: int = 0
    n_kept: int = 0
    lines: list[int] = field(default_factory=list)

    def found(self, line: int, *, whole: bool) -> bool:
        """Count a broken row; tell whether it is kept, which one cut off in the middle is not."""
        self.n_bad += 1
        if len(self.lines) < LISTED:
            self.lines.append(line)
        self.n_kept += self.keep and whole
        return self.keep and whole


def mend(
    path: Path,
    reader: str,
    options: dict[str, Any],
    scratch: Path,
    report: Reporter,
    *,
    keep: bool = False,
    column: str | None = None,
) -> Mended | None:
    """Copy a file of lines or of delimited values so that all rows can be read.

    Broken is a line that is not in the file's encoding, that is no JSON
    object, or that has more or fewer values than the first. Such rows are left out, or
    kept: what is not in the encoding becomes U+FFFD, a line that is no JSON becomes the text
    of ``column``, values that are missing are empty, and those too many go into the last one.

    Parameters
    ----------
    path, reader, options
        The file, and how it is read.
    scratch
        Folder of the copy.
    report
        Told about rows.
    keep
        Whether to keep broken rows.
    column
        Where the text of a broken JSON line goes; None for the first column of texts.

    Returns
    -------
    Mended or None
        None for formats whose rows cannot be told apart (Parquet, Arrow, one
        JSON array).
    """
    if reader not in ("json", "csv", "text"):
        return None
    if reader == "json" and not _has_lines(path):
        return None
    mended = Mended(scratch / f"mended-{path.name.split('.')[0]}", keep)
    encoding = options.get("encoding") or "utf-8-sig"
    report.phase("mending", f"Looking for broken rows in {path.name}")
    with open_bytes(path) as source, mended.path.open("w", encoding="utf-8", newline="") as target:
        if reader == "csv":
            _copy_csv(source, target, encoding, options.get("sep") or ",", mended, report)
        else:
            texts = (column or _text_column(path, encoding)) if reader == "json" else None
            _copy_lines(source, target, encoding, texts, mended, report)
    return mended


def _has_lines(path: Path) -> bool:
    with open_bytes(path) as file:
        return not file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _text_column(path: Path, encoding: str) -> str:
    """Return the first column of texts in the first line that is a JSON object."""
    with open_bytes(path) as source:
        for line, _ in _lines(source, encoding):
            if _is_object(line):
                row = json.loads(line)
                return next((key for key, cell in row.items() if isinstance(cell, str)), "text")
    return "text"


def _copy_lines(
    source: IO[bytes],
    target: IO[str],
    encoding: str,
    column: str | None,
    mended: Mended,
    report: Reporter,
) -> None:
    """Copy lines: of JSON if there is a ``column`` for those that are none, else of text."""
    for number, (line, decoded) in enumerate(_lines(source, encoding), 1):
        if number % 10_000 == 0:
            report.progress(number, None, "rows", f"{mended.n_bad} broken")
        text = line.rstrip("\r\n")
        if decoded and (column is None or not text.strip() or _is_object(text)):
            target.write(text + "\n")
        elif mended.found(number, whole=bool(text)):
            target.write((text if column is None else json.dumps({column: text})) + "\n")


def _lines(source: IO[bytes], encoding: str) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it is in the encoding; a file that breaks off ends with ''."""
    if encoding.replace("-", "_").lower().startswith(("utf_16", "utf_32")):
        with io.TextIOWrapper(source, encoding, errors="replace", newline="\n") as text:
            for line in text:
                yield line, True
        return
    try:
        for data in source:
            try:
                yield data.decode(encoding), True
            except ValueError:
                yield data.decode(encoding, "replace"), False
    except (EOFError, OSError):
        yield "", False


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _copy_csv(
    source: IO[bytes],
    target: IO[str],
    encoding: str,
    delimiter: str,
    mended: Mended,
    report: Reporter,
) -> None:
    with io.TextIOWrapper(source, encoding=encoding, errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
        width = None
        while (row := _next_row(rows, mended)) is not None:
            width = len(row) if width is None else width
            if len(row) == width and not _has_stray_bytes(row):
                writer.writerow(row)
            elif row and mended.found(rows.line_num, whole=True):
                writer.writerow(_fitted(row, width, delimiter))
            if rows.line_num % 10_000 == 0:
                report.progress(rows.line_num, None, "rows", f"{mended.n_bad} broken")


def _fitted(row: list[str], width: int, delimiter: str) -> list[str]:
    """Return a row of so many values, all of them text."""
    clean = [cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for cell in row]
    if len(clean) <= width:
        return clean + [""] * (width - len(clean))
    return [*clean[: width - 1], delimiter.join(clean[width - 1 :])]


def _next_row(rows: Any, mended: Mended) -> list[str] | None:
    try:
        row: list[str] | None = next(rows, None)
    except (csv.Error, EOFError, OSError):
        mended.found(rows.line_num, whole=False)
        return None
    return row


def _has_stray_bytes(row: list[str]) -> bool:
    """Return whether a cell has bytes that are not in the file's encoding."""
    return any("\udc80" <= c <= "\udcff" for cell in row for c in cell)


def first_bad_line(path: Path, encoding: str | None, *, as_json: bool) -> int | None:
    """Return the number of the first line not in the encoding, or no JSON, if there is one."""
    number = 0
    with contextlib.suppress(OSError, EOFError), open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode(encoding or "utf-8-sig")
                if as_json and text.strip():
                    json.loads(text)
            except ValueError:
                return number
        return None
    return number + 1
