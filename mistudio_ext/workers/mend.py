"""Find the rows of a file that cannot be read, and copy it without them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
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
    """A copy without bad rows.

    Attributes
    ----------
    path
        The copy, in UTF-8.
    n_bad
        Rows that were left out.
    lines
        The first of their line numbers, counted from 1.
    """

    path: Path
    n_bad: int = 0
    lines: list[int] = field(default_factory=list)

    def leave_out(self, line: int) -> None:
        """Count a row that is not copied."""
        self.n_bad += 1
        if len(self.lines) < LISTED:
            self.lines.append(line)


def mend(
    path: Path, reader: str, options: dict[str, Any], scratch: Path, report: Reporter
) -> Mended | None:
    """Copy a file of lines or of delimited values without the rows that are broken.

    Broken is a line that is not in the file's encoding, that is no JSON
    object, or that has more or fewer values than the first.

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
    mended = Mended(scratch / f"mended-{path.name.split('.')[0]}")
    encoding = options.get("encoding") or "utf-8-sig"
    report.phase("mending", f"Looking for broken rows in {path.name}")
    copy = _copy_csv if reader == "csv" else _copy_lines
    with open_bytes(path) as source, mended.path.open("w", encoding="utf-8", newline="") as target:
        copy(source, target, encoding, options if reader == "csv" else reader, mended, report)
    return mended


def _has_lines(path: Path) -> bool:
    with open_bytes(path) as file:
        return not file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _copy_lines(
    source: IO[bytes],
    target: IO[str],
    encoding: str,
    reader: Any,
    mended: Mended,
    report: Reporter,
) -> None:
    for number, line in enumerate(_lines(source, encoding), 1):
        if number % 10_000 == 0:
            report.progress(number, None, "rows", f"{mended.n_bad} broken")
        if line is None or (reader == "json" and line.strip() and not _is_object(line)):
            mended.leave_out(number)
        else:
            target.write(line if line.endswith("\n") else line + "\n")


def _lines(source: IO[bytes], encoding: str) -> Any:
    """Yield each line as text, None where it is not in the encoding."""
    if encoding.replace("-", "_").lower().startswith(("utf_16", "utf_32")):
        with io.TextIOWrapper(source, encoding, errors="replace", newline="\n") as text:
            yield from text
        return
    try:
        for line in source:
            try:
                yield line.decode(encoding)
            except ValueError:
                yield None
    except (EOFError, OSError):
        yield None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _copy_csv(
    source: IO[bytes],
    target: IO[str],
    encoding: str,
    options: Any,
    mended: Mended,
    report: Reporter,
) -> None:
    delimiter = options.get("sep") or ","
    with io.TextIOWrapper(source, encoding=encoding, errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
        width = None
        while (row := _next_row(rows, mended)) is not None:
            width = len(row) if width is None else width
            if len(row) == width and not _has_stray_bytes(row):
                writer.writerow(row)
            elif row:
                mended.leave_out(rows.line_num)
            if rows.line_num % 10_000 == 0:
                report.progress(rows.line_num, None, "rows", f"{mended.n_bad} broken")


def _next_row(rows: Any, mended: Mended) -> list[str] | None:
    try:
        row: list[str] | None = next(rows, None)
    except (csv.Error, EOFError, OSError):
        mended.leave_out(rows.line_num)
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


def first_bad_csv(path: Path, options: dict[str, Any]) -> int | None:
    """Return the number of the first line with too many values, if there is one."""
    try:
        with (
            open_bytes(path) as file,
            io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text,
        ):
            reader = csv.reader(text, delimiter=options.get("sep", ","))
            width = len(next(reader, []))
            for row in reader:
                if len(row) > width:
                    return reader.line_num
    except (OSError, ValueError, csv.Error):
        return None
    return None
