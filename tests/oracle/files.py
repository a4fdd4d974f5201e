"""Data files at random, by Python's own writers; imported rows must be what was written."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import math
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import mistudio_ext as ms
from mistudio_ext.errors import MiStudioError
from tests.oracle import texts
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session

Row = dict[str, Any]
Parts = dict[str, list[Row]]
Broken = tuple[str, int] | None

_DELIMITED = ("csv", "tsv")
_FORMATS = ("csv", "csv", "tsv", "jsonl", "jsonl", "json", "parquet", "arrow", "txt")
_NAMES = ("rows", "a b", "täxt", "data[1]", "q?", "x.y", "train-00000", "100%", "*", "#1", "'")
_COLUMNS = ("id", "n", "label", "my col", "é", "a.b", "Unnamed", "score", "0", "meta", "when")


def draw(rng: random.Random, _group: random.Random) -> Case:
    """Draw a file's content and the way in which it is written."""
    kind = rng.choice(_FORMATS)
    flat = kind in _DELIMITED
    kinds = ["text", "tricky", "int", "float", "bool", "empty", "long_int", "date"]
    if not flat:
        kinds += ["nested", "list", "mixed", "null", "big_int", "late"]
    names = rng.sample(_COLUMNS, rng.randint(0, 4))
    plain = kind in ("parquet", "arrow")
    encodings = ["utf-8"] * 4 + ["utf-8-sig"]
    encodings += ["utf-16", "cp1252"] if flat or kind == "txt" else []
    return {
        "format": kind,
        "columns": {name: rng.choice(kinds) for name in names},
        "rows": rng.choice([1, 2, 3, 7, 30, 300]),
        "rows_seed": rng.randrange(1 << 20),
        "text_marks": rng.random() < 0.7,
        "text_lines": rng.random() < 0.5 and kind != "txt",
        "encoding": "utf-8" if plain else rng.choice(encodings),
        "encoding_said": rng.random() < 0.5,
        "compression": None if plain else rng.choice([None, None, "gz", "zst"]),
        "line_end": rng.choice(["\n", "\n", "\r\n"]),
        "delimiter": rng.choice([",", ",", ";", "|", "\t"]) if kind == "csv" else "\t",
        "delimiter_said": rng.random() < 0.5,
        "quoting": rng.choice(["minimal", "all"]),
        "spread": rng.choice(["file", "file", "file", "parts", "splits"]),
        "name": rng.choice(_NAMES),
        "broken": rng.choice([None] * 4 + ["short", "long", "json", "byte"]),
        "bad_rows": rng.choice(["stop", "skip", "keep"]),
        "max_rows": rng.choice([None] * 6 + [1, 5]),
        "chosen": rng.random() < 0.15,
        "text_column": rng.choice(["text", "text", "content", "story"]),
    }


SIMPLEST: Case = {
    "broken": None,
    "max_rows": None,
    "chosen": False,
    "spread": "file",
    "compression": None,
    "columns": {},
    "encoding": "utf-8",
    "line_end": "\n",
    "quoting": "minimal",
    "delimiter": ",",
    "text_lines": False,
    "text_marks": False,
    "rows": 3,
    "name": "rows",
    "text_column": "text",
    "delimiter_said": False,
    "encoding_said": False,
}


def check(case: Case, session: Session) -> Outcome:
    """Write, import, read back in three ways, compare."""
    rows = _rows(case)
    if case["encoding"] == "cp1252":
        rows = [{k: _in_cp1252(v) for k, v in row.items()} for row in rows]
    if case["spread"] != "file" or case["format"] in ("parquet", "arrow"):
        case = {**case, "broken": None}
    broken = _break(case)
    splits, source = _write(case, rows, broken, session)
    settings: dict[str, Any] = {"bad_rows": case["bad_rows"]} if broken else {}
    if case["encoding_said"] and case["format"] in (*_DELIMITED, "txt", "jsonl", "json"):
        settings["encoding"] = case["encoding"]
    if case["delimiter_said"] and case["format"] == "csv":
        settings["delimiter"] = case["delimiter"]
    if case["max_rows"]:
        settings["max_rows"] = case["max_rows"]
    if case["chosen"] and case["format"] != "txt":
        settings["columns"] = [case["text_column"]]
        splits = {
            s: [{k: r.get(k) for k in settings["columns"]} for r in v] for s, v in splits.items()
        }
    settings["text_column"] = "text" if case["format"] == "txt" else case["text_column"]
    try:
        made = ms.add_dataset(source, **settings).wait(timeout=PATIENCE)
    except MiStudioError as error:
        return _refusal(case, broken, error)
    if broken and case["bad_rows"] == "stop":
        return Outcome(
            (Problem(f"broken row taken: {case['format']}, {broken[0]}", f"line {broken[1]}"),)
        )
    return _compared(case, made, splits, broken, session)


# --- content --------------------------------------------------------------------------------------


def _rows(case: Case) -> list[Row]:
    rng = random.Random(case["rows_seed"])
    rows = []
    for i in range(case["rows"]):
        row: Row = {}
        for name, kind in case["columns"].items():
            value = _value(rng, kind, i, case["rows"])
            if value is not ...:
                row[name] = value
        if case["format"] == "txt":
            row = {}
        text = texts.text(rng, lines=case["text_lines"], marks=case["text_marks"])
        if case["format"] == "txt":
            text = " ".join(text.split()) or "x"
        row[case["text_column"] if case["format"] != "txt" else "text"] = text
        rows.append(row)
    return rows


def _value(rng: random.Random, kind: str, i: int, n: int) -> Any:
    if kind == "text":
        return texts.text(rng)
    if kind == "tricky":
        return rng.choice(texts.TRICKY)
    if kind == "int":
        return rng.randint(-1000, 1000)
    if kind == "float":
        return rng.choice([rng.gauss(0, 1), 1e-12, 0.1, 1e300, float(rng.randint(0, 9)) + 0.5])
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "empty":
        return rng.choice(["", "x", "y"])
    if kind == "long_int":
        return rng.randint(10**17, 10**18)
    if kind == "date":
        return str(dt.date(2024, 1, 1) + dt.timedelta(days=i))
    if kind == "big_int":
        return rng.choice([2**63, 2**64 + 1, 10**25, 5])
    if kind == "null":
        return rng.choice([None, ..., "x"])
    if kind == "list":
        return [rng.randint(0, 9) for _ in range(rng.randint(0, 3))]
    if kind == "mixed":
        return rng.choice([1, "a", 2.5, True, None, [1], {"a": 1}, "1"])
    if kind == "late":
        return None if i < n - 1 else rng.choice(["late", 1.5])
    parts = {"a": rng.randint(0, 9), "b": rng.choice(["x", None, "ü"]), "c": [{"d": 1.5}]}
    return {k: v for k, v in parts.items() if rng.random() < 0.8} or {"a": 1}


def _in_cp1252(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("cp1252", "replace").decode("cp1252").replace("?", "é") or "é"


# --- writing --------------------------------------------------------------------------------------


def _break(case: Case) -> tuple[str, int] | None:
    """Return what is broken and in which row, if that can be for this format."""
    fits = {
        "short": _DELIMITED,
        "long": _DELIMITED,
        "json": ("jsonl",),
        "byte": (*_DELIMITED, "jsonl", "txt"),
    }
    what = case["broken"]
    if what is None or case["format"] not in fits[what] or case["rows"] < 3:
        return None
    if what == "short" and not case["columns"]:
        return None
    if what == "byte" and case["encoding"] not in ("utf-8",):
        return None
    return what, case["rows"] // 2


def _write(
    case: Case, rows: list[Row], broken: Broken, session: Session
) -> tuple[dict[str, list[Row]], Path]:
    folder = session.place("files") / "set"
    folder.mkdir()
    name, end = case["name"], _ending(case)
    if case["spread"] == "splits" and len(rows) > 1:
        cut = max(1, len(rows) // 2)
        parts = {"train": rows[:cut], "test": rows[cut:]}
        for split, some in parts.items():
            _write_one(case, some, folder / f"{split}{end}", None)
        return parts, folder
    if case["spread"] == "parts" and len(rows) > 1:
        cut = max(1, len(rows) // 2)
        for i, some in enumerate((rows[:cut], rows[cut:])):
            _write_one(case, some, folder / f"part-{i}{end}", None)
        return {"train": rows}, folder
    _write_one(case, rows, folder / f"{name}{end}", broken)
    # What stands beside a file is not the file.
    (folder / f"qa{end}").write_bytes(b"text\nnot this\n")
    return {"train": rows}, folder / f"{name}{end}"


def _ending(case: Case) -> str:
    return f".{case['format']}" + (f".{case['compression']}" if case["compression"] else "")


def _write_one(case: Case, rows: list[Row], path: Path, broken: Broken) -> None:
    kind = case["format"]
    if kind in ("parquet", "arrow"):
        _write_columns(case, rows, path)
        return
    lines = _lines(case, rows, broken)
    data = lines.encode(case["encoding"])
    if broken and broken[0] == "byte":
        data = data.replace("\ue000".encode(), b"\xff")
    if case["compression"] == "gz":
        data = gzip.compress(data)
    elif case["compression"] == "zst":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        data = sink.getvalue().to_pybytes()
    path.write_bytes(data)


def _lines(case: Case, rows: list[Row], broken: Broken) -> str:
    kind, end = case["format"], case["line_end"]
    mark = "\ue000" if broken and broken[0] == "byte" else ""
    if mark:
        text = "text" if kind == "txt" else case["text_column"]
        rows = [
            {**row, text: row[text] + mark} if i == broken[1] else row  # type: ignore[index]
            for i, row in enumerate(rows)
        ]
    if kind == "txt":
        return end.join([row["text"] for row in rows]) + end
    if kind == "jsonl":
        lines = [
            json.dumps(row, ensure_ascii=not mark and i % 2 == 0) for i, row in enumerate(rows)
        ]
        if broken and broken[0] == "json":
            lines[broken[1]] = lines[broken[1]][:-3]
        return end.join(lines) + end
    if kind == "json":
        return json.dumps(rows, ensure_ascii=False, indent=case["rows_seed"] % 3 or None)
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if case["quoting"] == "all" else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=case["delimiter"], quoting=quoting, lineterminator=end)
    names = [*case["columns"], case["text_column"]]
    writer.writerow(names)
    for i, row in enumerate(rows):
        cells = [cell(row[name]) for name in names]
        if broken == ("short", i):
            cells = cells[:-1]
        if broken == ("long", i):
            cells = [*cells, "one", "more"]
        writer.writerow(cells)
    return out.getvalue()


def cell(value: Any) -> str:
    """Return how a value is written into a delimited file."""
    return repr(value) if isinstance(value, float) else str(value)


def _write_columns(case: Case, rows: list[Row], path: Path) -> None:
    names = [*case["columns"], case["text_column"]]
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            # What Arrow has no type for is text there.
            columns[name] = pa.array([v if v is None else json.dumps(v) for v in values])
            for row in rows:
                if row.get(name) is not None:
                    row[name] = json.dumps(row[name])
    table = pa.table(columns)
    if case["format"] == "parquet":
        pq.write_table(table, path, row_group_size=max(1, case["rows"] // 3))
        return
    kind = pa.ipc.new_file if case["rows_seed"] % 2 else pa.ipc.new_stream
    with kind(str(path), table.schema) as sink:
        for batch in table.to_batches(max_chunksize=max(1, case["rows"] // 2)):
            sink.write_batch(batch)


# --- comparing ------------------------------------------------------------------------------------


def _refusal(case: Case, broken: Broken, error: MiStudioError) -> Outcome:
    if error.code == "internal_error" or "internal" in error.code:
        return Outcome((Problem(f"internal error: {case['format']}", f"{error}"[:500]),))
    if broken and case["bad_rows"] == "stop":
        said = f"{error} {error.hint or ''}"
        lines = _line_of(case, broken)
        if not any(str(n) in said for n in lines):
            detail = f"the line ({lines}) is not named: {error.code}: {said}"[:500]
            return Outcome((Problem(f"line not named: {case['format']}, {broken[0]}", detail),))
        return Outcome(figures={"broken files refused with the line": 1})
    if case["encoding"] == "cp1252" and not case["encoding_said"] and "windows-1252" in str(error):
        return Outcome(figures={"encodings in doubt that were named": 1})
    kind = f"refused with {error.code}: {case['format']}"
    return Outcome((Problem(kind, f"{error}"[:500]),))


def _line_of(case: Case, broken: tuple[str, int]) -> list[int]:
    """Return the numbers by which a broken row may be called: its lines, or its row."""
    rows = _rows(case)
    if case["encoding"] == "cp1252":
        rows = [{k: _in_cp1252(v) for k, v in row.items()} for row in rows]
    before = _lines({**case, "broken": None}, rows[: broken[1]], None) if broken[1] else ""
    own = _lines({**case, "broken": None}, rows[: broken[1] + 1], None)
    first, last = (len(re.split("\r\n|\r|\n", part)) - 1 for part in (before, own))
    if case["format"] in _DELIMITED and not before:
        first = 1
    return [*range(first + 1, last + 2), broken[1], broken[1] + 1]


def _compared(
    case: Case,
    made: Any,
    splits: dict[str, list[Row]],
    broken: Broken,
    session: Session,
) -> Outcome:
    if broken and case["bad_rows"] == "skip":
        splits = {s: [r for i, r in enumerate(v) if i != broken[1]] for s, v in splits.items()}
    if case["max_rows"]:
        left, cut = case["max_rows"], {}
        for split, rows in splits.items():
            cut[split] = rows[:left]
        splits = cut
    folder = session.data_dir / "datasets" / made.id
    problems: list[Problem] = []
    counted = dict(made.splits)
    if counted != {s: len(v) for s, v in splits.items()}:
        detail = f"{counted} instead of { {s: len(v) for s, v in splits.items()} }"
        return Outcome((Problem(f"rows are missing or more: {case['format']}", detail),))
    for split, rows in splits.items():
        stored = _stored(folder / split)
        skipped = broken[1] if broken and case["bad_rows"] == "keep" else None
        problems += _rows_differ(case, stored, rows, skipped)
        page = made.search(split=split, limit=1000)
        text = "text" if case["format"] == "txt" else case["text_column"]
        shown = [row["text"] for row in page]
        for i, row in enumerate(rows):
            if i != skipped and shown[i] != row[text]:
                detail = f"row {i}: {shown[i]!r} instead of {row[text]!r}"
                problems.append(Problem(f"shown text differs: {case['format']}", detail[:400]))
                break
    n = sum(len(v) for v in splits.values())
    return Outcome(tuple(problems), figures={"rows": n})


def _stored(folder: Path) -> list[Row]:
    rows: list[Row] = []
    for path in sorted(folder.glob("*.arrow")):
        with pa.ipc.open_stream(str(path)) as stream:
            rows += stream.read_all().to_pylist()
    return rows


def _rows_differ(
    case: Case, stored: list[Row], rows: list[Row], skipped: int | None
) -> list[Problem]:
    if len(stored) != len(rows):
        return [Problem("stored rows", f"{len(stored)} instead of {len(rows)}")]
    flat = case["format"] in _DELIMITED
    for i, (mine, true) in enumerate(zip(stored, rows, strict=True)):
        if i == skipped:
            continue
        extra = {k for k in mine if k not in true and mine[k] is not None}
        if extra:
            return [
                Problem(
                    f"columns differ: {case['format']}",
                    f"row {i} also has {sorted(extra)}: {mine}"[:400],
                )
            ]
        for name, value in true.items():
            if name not in mine and value is not None:
                return [
                    Problem(
                        f"column lost: {case['format']}",
                        f"row {i}: {name!r}; there are {list(mine)}",
                    )
                ]
            same = (
                same_cell(mine.get(name), cell(value))
                if flat
                else same_value(mine.get(name), value)
            )
            if not same:
                kind = case["columns"].get(name, "text")
                detail = f"row {i}, {name!r}: {mine.get(name)!r} instead of {value!r}"
                return [Problem(f"value differs: {case['format']}, {kind}", detail[:400])]
    return []


def same_cell(mine: Any, written: str) -> bool:
    """Tell whether a cell came through: as its text, or as a number that says the same."""
    if isinstance(mine, str):
        return mine.replace("\r\n", "\n") == written.replace("\r\n", "\n")
    if mine is None:
        return written == ""
    if isinstance(mine, bool):
        return written.lower() == str(mine).lower()
    if isinstance(mine, int):
        return written == str(mine)
    if isinstance(mine, float):
        number = _number(written)
        digits = written.lstrip("-")
        plain = not (digits.startswith("0") and digits[1:2].isdigit())
        return number is not None and (mine == number) and plain
    return str(mine) == written


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def same_value(mine: Any, written: Any) -> bool:
    """Tell whether a value of JSON or Arrow came through, perhaps as text with the same content."""
    if mine is None or written is None:
        return _nothing(mine) and _nothing(written)
    if isinstance(written, bool) or isinstance(mine, bool):
        return (mine == written and type(mine) is type(written)) or _as_text(mine, written)
    if isinstance(written, (int, float)) and isinstance(mine, (int, float)):
        both_nan = isinstance(mine, float) and math.isnan(mine) and written != written
        return both_nan or (
            mine == written and (isinstance(written, float) or int(mine) == written)
        )
    if isinstance(written, Mapping) and isinstance(mine, Mapping):
        keys = set(mine) | set(written)
        return all(same_value(mine.get(k), written.get(k)) for k in keys)
    if isinstance(written, list) and isinstance(mine, list):
        return len(mine) == len(written) and all(map(same_value, mine, written))
    if isinstance(written, str) and isinstance(mine, str):
        return mine == written
    return _as_text(mine, written)


def _nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_nothing(part) for part in value.values())
    return value is None or value == []


def _as_text(mine: Any, written: Any) -> bool:
    if not isinstance(mine, str):
        return False
    try:
        return mine == str(written) or bool(json.loads(mine) == written)
    except ValueError:
        return False


AREA = Area("files", draw, check, SIMPLEST)
