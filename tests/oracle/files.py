"""Data files at random, by Python's own writers; imported rows must be what was written."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

import mistudio_ext as ms
from mistudio_ext.errors import MiStudioError
from tests.oracle.cells import same_cell, same_value
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session
from tests.oracle.written import (
    DELIMITED,
    Broken,
    Row,
    cell,
    in_cp1252,
    lines_of,
    rows_of,
    what_is_broken,
    write,
)

_FORMATS = ("csv", "csv", "tsv", "jsonl", "jsonl", "json", "parquet", "arrow", "txt")
_NAMES = ("rows", "a b", "täxt", "data[1]", "q?", "x.y", "train-00000", "100%", "*", "#1", "'")
_COLUMNS = ("id", "n", "label", "my col", "é", "a.b", "Unnamed", "score", "0", "meta", "when")


def draw(rng: random.Random, _group: random.Random) -> Case:
    """Draw a file's content and the way in which it is written."""
    kind = rng.choice(_FORMATS)
    flat = kind in DELIMITED
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
        "by_datasets": rng.random() < 0.1,
        "text_column": rng.choice(["text", "text", "content", "story"]),
    }


SIMPLEST: Case = {
    "broken": None,
    "max_rows": None,
    "chosen": False,
    "by_datasets": False,
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
    rows = rows_of(case)
    if case["encoding"] == "cp1252":
        rows = [{k: in_cp1252(v) for k, v in row.items()} for row in rows]
    if case["spread"] != "file" or case["format"] in ("parquet", "arrow"):
        case = {**case, "broken": None}
    broken = what_is_broken(case)
    splits, source = write(case, rows, broken, session)
    settings: dict[str, Any] = {"bad_rows": case["bad_rows"]} if broken else {}
    if case["encoding_said"] and case["format"] in (*DELIMITED, "txt", "jsonl", "json"):
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
    said = f"{error} {error.hint or ''}".lower()
    if case["encoding"] == "cp1252" and not case["encoding_said"] and "1252" in said:
        return Outcome(refused="the encoding is to be said")
    kind = f"refused with {error.code}: {case['format']}"
    return Outcome((Problem(kind, f"{error}"[:500]),))


def _line_of(case: Case, broken: tuple[str, int]) -> list[int]:
    """Return the numbers by which a broken row may be called: its lines, or its row."""
    rows = rows_of(case)
    if case["encoding"] == "cp1252":
        rows = [{k: in_cp1252(v) for k, v in row.items()} for row in rows]
    before = lines_of({**case, "broken": None}, rows[: broken[1]], None) if broken[1] else ""
    own = lines_of({**case, "broken": None}, rows[: broken[1] + 1], None)
    first, last = (len(re.split("\r\n|\r|\n", part)) - 1 for part in (before, own))
    if case["format"] in DELIMITED and not before:
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
        stored = stored_rows(folder / split)
        skipped = broken[1] if broken and case["bad_rows"] == "keep" else None
        problems += _rows_differ(case, stored, rows, skipped)
        if case["by_datasets"]:
            problems += _rows_differ(case, _by_datasets(folder / split), rows, skipped)
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


def stored_rows(folder: Path) -> list[Row]:
    """Return the rows of a split, read with pyarrow alone."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.arrow")):
        with pa.ipc.open_stream(str(path)) as stream:
            table = stream.read_all()
        columns = {
            name: [_plain(value, table.schema.field(name).type) for value in column.to_pylist()]
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        rows += [{name: columns[name][i] for name in columns} for i in range(table.num_rows)]
    return rows


def _plain(value: Any, dtype: pa.DataType) -> Any:
    """Return a value with what is stored as ``arrow.json`` in it as the object that it says."""
    if value is None:
        return None
    if isinstance(dtype, pa.JsonType):
        return json.loads(value)
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return [_plain(item, dtype.value_type) for item in value]
    if pa.types.is_struct(dtype):
        return {field.name: _plain(value[field.name], field.type) for field in dtype}
    return value


def _by_datasets(folder: Path) -> list[Row]:
    """Return the rows of a split as ``datasets`` reads them."""
    from datasets import load_from_disk

    rows: list[Row] = load_from_disk(str(folder)).to_list()
    return rows


def _rows_differ(
    case: Case, stored: list[Row], rows: list[Row], skipped: int | None
) -> list[Problem]:
    if len(stored) != len(rows):
        return [Problem("stored rows", f"{len(stored)} instead of {len(rows)}")]
    flat = case["format"] in DELIMITED
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


AREA = Area("files", draw, check, SIMPLEST)
