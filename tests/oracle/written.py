"""What files hold, and how it is written: by Python's own writers and by pyarrow."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle import texts
from tests.oracle.report import Case
from tests.oracle.session import Session

Row = dict[str, Any]
Parts = dict[str, list[Row]]
Broken = tuple[str, int] | None

DELIMITED = ("csv", "tsv")


# --- content --------------------------------------------------------------------------------------


def rows_of(case: Case) -> list[Row]:
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


def in_cp1252(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("cp1252", "replace").decode("cp1252").replace("?", "é") or "é"


# --- writing --------------------------------------------------------------------------------------


def what_is_broken(case: Case) -> tuple[str, int] | None:
    """Return what is broken and in which row, if that can be for this format."""
    fits = {
        "short": DELIMITED,
        "long": DELIMITED,
        "json": ("jsonl",),
        "byte": (*DELIMITED, "jsonl", "txt"),
    }
    what = case["broken"]
    if what is None or case["format"] not in fits[what] or case["rows"] < 3:
        return None
    if what == "short" and not case["columns"]:
        return None
    if what == "byte" and case["encoding"] not in ("utf-8",):
        return None
    return what, case["rows"] // 2


def write(
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
    lines = lines_of(case, rows, broken)
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


def lines_of(case: Case, rows: list[Row], broken: Broken) -> str:
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
