"""Readers of JSON Lines: which give what small files say, and how fast they are.

``python benchmarks/json_readers.py`` needs duckdb, polars, orjson and msgspec beside the project.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
Read = Callable[[str], Rows]

LATE = '{"text": "' + "p" * 900 + '", "v": null}\n'

#: Name -> (content, the column ``v`` that it has; None where an error is right).
FILES: dict[str, tuple[bytes, list[Any] | None]] = {
    "integers beyond 64 bits": (b'{"v": 9223372036854775809}\n{"v": 5}\n', [2**63 + 1, 5]),
    "exact integers, fractions": (b'{"v": 9007199254740993}\n{"v": 0.5}\n', [2**53 + 1, 0.5]),
    "dates": (
        b'{"v": "2023-01-01"}\n{"v": "2023-01-02 11:00"}\n',
        ["2023-01-01", "2023-01-02 11:00"],
    ),
    "a number among texts": (b'{"v": "a"}\n{"v": 5}\n', ["a", 5]),
    "absent keys": (b'{"v": {"a": 1}}\n{"v": {"b": null}}\n', [{"a": 1}, {"b": None}]),
    "a line separator": ('{"v": "a\u2028b"}\n'.encode(), ["a\u2028b"]),
    "text after 10 MB": (LATE.encode() * 13_000 + b'{"v": "late"}\n', [None] * 13_000 + ["late"]),
    "bytes that are not UTF-8": (b'{"v": "caf\xe9"}\n', None),
    "a key twice": (b'{"v": 1, "v": 2}\n', None),
    "half a surrogate pair": (b'{"v": "\\ud83d"}\n', None),
}


def readers() -> dict[str, Read]:
    """Return the readers by name."""
    import duckdb
    import msgspec
    import orjson
    import polars as pl
    import pyarrow.json as arrow_json

    def by_duckdb(path: str) -> Rows:
        found = duckdb.sql(f"select * from read_json('{path}')")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def by_lines(load: Callable[[bytes], Any]) -> Read:
        return lambda path: [load(line) for line in Path(path).read_bytes().splitlines() if line]

    return {
        "duckdb": by_duckdb,
        "polars": lambda path: pl.read_ndjson(path).to_dicts(),
        "pyarrow": lambda path: arrow_json.read_json(path).to_pylist(),
        "orjson": by_lines(orjson.loads),
        "msgspec": by_lines(msgspec.json.decode),
        "json": by_lines(json.loads),
        "this one": lambda path: [row for table in tables(path) for row in table],
    }


def tables(path: str) -> Any:
    """Yield the rows that the import makes, table by table."""
    from mistudio_ext.store.cells import cells
    from mistudio_ext.store.readers import BadRows, Content, Settings, json_file

    content = Content(Path(path), Path(path).name)
    settings = json_file.settle(content, Settings()).settings
    for table in json_file.tables(content, settings, BadRows("stop", path)):
        columns = [cells(column) for column in table.columns]
        yield [
            dict(zip(table.schema.names, row, strict=True)) for row in zip(*columns, strict=True)
        ]


def verdict(read: Read, path: str, wanted: list[Any] | None) -> str:
    """Return whether a reader gives what a file says."""
    try:
        found = [row.get("v") for row in read(path)]
    except Exception:  # noqa: BLE001 - whatever a reader raises
        return "refused"
    if wanted is None:
        return "taken"
    texts = [str(value) if type(value) in (int, float) else value for value in wanted]
    return "right" if found in (wanted, texts) else "WRONG"


def large(path: Path) -> None:
    """Write 200,000 rows with columns of the usual kinds."""
    dice = random.Random(0)
    with path.open("w") as file:
        for i in range(200_000):
            text = " ".join(dice.choices(("one", "seven", "forty-two", "thousand"), k=20))
            row = {"id": i, "text": text, "score": dice.random(), "when": "2023-01-01T10:00:00"}
            file.write(json.dumps(row) + "\n")


def main() -> None:
    """Print one line for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (content, _) in FILES.items():
            (Path(folder) / f"{name}.jsonl").write_bytes(content)
        many = Path(folder) / "many.jsonl"
        large(many)
        for reader, read in readers().items():
            found = {
                name: verdict(read, f"{folder}/{name}.jsonl", wanted)
                for name, (_, wanted) in FILES.items()
            }
            start = time.process_time()
            read(str(many))
            seconds = time.process_time() - start
            print(f"{reader}: {seconds:.2f} CPU-s with rows as Python objects; {found}")


if __name__ == "__main__":
    main()
