"""CSV readers side by side: CPU seconds, and which of them keep the values of difficult files.

``python benchmarks/csv_readers.py [--rows 400000]``. DuckDB and polars are compared where they are
installed; the product needs neither.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

Rows = list[list[str | None]]

#: Files where an error is right too.
MAY_REFUSE = ("a mark that is never closed", "text after a closing mark")

#: Content and rows; an error is right where there are none.
DIFFICULT: dict[str, tuple[bytes, Rows]] = {
    "words for nothing": (b"id,text\n1,NA\n2,null\n", [["1", "NA"], ["2", "null"]]),
    "leading zeros": (b"code,text\n007,a\n1e5,b\n", [["007", "a"], ["1e5", "b"]]),
    "a row too long": (b"id,text\n1,a,\n2,b,\n", []),
    "a row too short": (b"id,text,x\n1,a,b\n2,c\n", []),
    "a mark that is never closed": (
        b'id,text\n1,"a\n2,b\n3,c\n',
        [["1", '"a'], ["2", "b"], ["3", "c"]],
    ),
    "text after a closing mark": (b'id,text\n1,"a" b\n2,c\n', [["1", '"a" b'], ["2", "c"]]),
    "not UTF-8": (b"id,text\n1,caf\xe9\n", []),
    "a value of 200,000 characters": (
        b"id,text\n1," + b"x y " * 50_000 + b"\n",
        [["1", "x y " * 50_000]],
    ),
    "line ends in a value": (b'id,text\n1,"a\r\nb\nc"\n', [["1", "a\r\nb\nc"]]),
    "carriage returns": (b"id,text\r1,a\r2,b\r", [["1", "a"], ["2", "b"]]),
    "doubled marks": (b'id,text\n1,"a ""b"" c"\n', [["1", 'a "b" c']]),
    "a mark inside": (b'id,text\n1,5" pipe\n', [["1", '5" pipe']]),
}


def with_csv(path: Path) -> Rows:
    csv.field_size_limit(2**31 - 1)
    with path.open(newline="", encoding="utf-8") as file:
        return [list(row) for row in csv.reader(file, strict=True)][1:]


def with_pyarrow(path: Path) -> Rows:
    import pyarrow as pa
    from pyarrow import csv as reader

    with path.open("rb") as file:
        names = file.readline().decode().split("\r")[0].strip().split(",")
    table = reader.read_csv(
        path,
        reader.ReadOptions(use_threads=False),
        reader.ParseOptions(newlines_in_values=True),
        reader.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return [list(row.values()) for row in table.to_pylist()] if table.num_rows < 1000 else []


def with_duckdb(path: Path) -> Rows:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads=1")
    relation = connection.sql(f"select * from read_csv('{path}', all_varchar=true)")
    table = relation.to_arrow_table()
    return [list(row.values()) for row in table.to_pylist()] if table.num_rows < 1000 else []


def with_polars(path: Path) -> Rows:
    import polars as pl

    frame = pl.read_csv(path, infer_schema=False)
    return [list(row) for row in frame.rows()] if frame.height < 1000 else []


def with_datasets(path: Path) -> Rows:
    import datasets

    datasets.disable_progress_bars()
    cache = tempfile.mkdtemp()
    builder = datasets.load_dataset_builder("csv", data_files=[str(path)], cache_dir=cache)
    rows = [
        list(row.values())
        for table in builder.as_streaming_dataset("train").with_format("arrow").iter(1000)
        if table.num_rows < 1000
        for row in table.to_pylist()
    ]
    return [[None if cell is None else str(cell) for cell in row] for row in rows]


def with_this(path: Path) -> Rows:
    from mistudio_ext.store.readers import BadRows, Content, Settings, reader_of

    reader = reader_of("csv")
    content = Content(path, path.name)
    settings = reader.settle(content, Settings()).settings
    tables = reader.tables(content, settings, BadRows("stop", path.name))
    rows = [
        list(row.values()) for table in tables if table.num_rows < 1000 for row in table.to_pylist()
    ]
    return [[None if cell is None else str(cell) for cell in row] for row in rows]


READERS: dict[str, Callable[[Path], Rows]] = {
    "datasets": with_datasets,
    "csv, strict": with_csv,
    "pyarrow": with_pyarrow,
    "DuckDB": with_duckdb,
    "polars": with_polars,
    "this": with_this,
}


def timed(read: Callable[[Path], Rows], path: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    read(path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def large(path: Path, n_rows: int, *, quoted: bool) -> None:
    draw = random.Random(1)
    words = [f"w{i}" * draw.randint(1, 2) for i in range(500)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "text", "score"])
        for i in range(n_rows):
            text = " ".join(draw.choices(words, k=draw.randint(5, 40)))
            if quoted and i % 3 == 0:
                text = text.replace(" ", ", ", 2) + '\nand "so" on'
            writer.writerow([i, text, i / 7])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400_000)
    rows = parser.parse_args().rows
    folder = Path(tempfile.mkdtemp())
    for name in ("plain", "quoted"):
        large(folder / f"{name}.csv", rows, quoted=name == "quoted")
    print("reader\tplain s\tquoted s\tright of", len(DIFFICULT), "\twrong")
    for name, read in READERS.items():
        wrong = []
        for case, (content, wanted) in DIFFICULT.items():
            path = folder / "difficult.csv"
            path.write_bytes(content)
            try:
                found = read(path)
                right = bool(wanted) and found == wanted
            except ModuleNotFoundError:
                break
            except Exception:  # noqa: BLE001 - Each reader has errors of its own.
                right = not wanted or case in MAY_REFUSE
            if not right:
                wrong.append(case)
        else:
            seconds = [
                min(timed(read, folder / f"{file}.csv") for _ in range(2))
                for file in ("plain", "quoted")
            ]
            right = len(DIFFICULT) - len(wrong)
            print(f"{name}\t{seconds[0]:.2f}\t{seconds[1]:.2f}\t{right}\t{'; '.join(wrong)}")


if __name__ == "__main__":
    main()
