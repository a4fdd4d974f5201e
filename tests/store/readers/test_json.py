"""Rows of JSON are what the file says, or the file is refused with the line."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.cells import cells
from mistudio_ext.store.readers import BadRows, Content, ReadAs, Settings, json_file, json_rows

Rows = list[dict[str, Any]]
Read = Callable[..., tuple[Rows, list[int]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that gives the rows of a file, and the lines of its broken rows."""

    def run(
        content: bytes | str,
        bad_rows: str = "stop",
        name: str = "a.jsonl",
        limit: int | None = None,
        **settings: Any,
    ) -> tuple[Rows, list[int]]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        file = Content(path, name, limit)
        broken = BadRows(bad_rows, name)
        read_as = settled(path, **settings)
        rows: Rows = []
        for table in json_file.tables(file, read_as.settings, broken):
            assert table.num_rows <= 1000
            table.validate(full=True)
            columns = [cells(column) for column in table.columns]
            rows += (
                dict(zip(table.schema.names, row, strict=True))
                for row in zip(*columns, strict=True)
            )
        return rows, [line for line, _ in broken.listed]

    return run


def settled(path: Path, **settings: Any) -> ReadAs:
    found = json_file.settle(Content(path, path.name), Settings(**settings))
    if found.doubt is not None:
        raise found.doubt
    return found


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


PRETTY = json.dumps({"v": 1}, indent=1) + "\n" + json.dumps({"v": 2}, indent=1)
FILLER = [{"text": "p" * 900 + str(i)} for i in range(13_000)]

EXACT: dict[str, tuple[str, str | bytes, list[Any]]] = {
    "floats": (
        "a.json",
        '[{"v": 0.1234567890123456}, {"v": 1e-12}, {"v": 3}]',
        [0.1234567890123456, 1e-12, 3.0],
    ),
    "integers beyond 64 bits": (
        "a.jsonl",
        '{"v": 9223372036854775809}\n{"v": 5}\n',
        ["9223372036854775809", "5"],
    ),
    "integers that no float holds": (
        "a.jsonl",
        '{"v": 9007199254740993}\n{"v": 0.5}\n',
        ["9007199254740993", "0.5"],
    ),
    "integers beside floats": ("a.jsonl", '{"v": 7}\n{"v": 0.5}\n', [7.0, 0.5]),
    "dates": (
        "a.jsonl",
        lines({"v": "2023-01-01T10:00:00"}, {"v": "2023-01-02 11:00:00"}),
        ["2023-01-01T10:00:00", "2023-01-02 11:00:00"],
    ),
    "dates in lists": ("a.jsonl", lines({"v": ["2023-01-01"]}), [["2023-01-01"]]),
    "a number among texts": (
        "a.jsonl",
        lines({"v": "a"}, {"v": 5}, {"v": "b"}, {"v": True}, {"v": None}),
        ["a", "5", "b", "true", None],
    ),
    "keys that are absent": (
        "a.jsonl",
        lines({"v": {"a": 1}}, {"v": {"b": None}}, {"v": {}}),
        [{"a": 1}, {"b": None}, {}],
    ),
    "keys in another order": (
        "a.jsonl",
        lines({"v": {"a": {"x": 1, "y": 2}}}, {"v": {"a": {"y": 3, "x": 4}}}),
        [{"a": {"x": 1, "y": 2}}, {"a": {"y": 3, "x": 4}}],
    ),
    "texts and lists": ("a.jsonl", lines({"v": "a"}, {"v": ["b", 1]}), ["a", ["b", 1]]),
    "line separators": (
        "a.jsonl",
        lines({"v": "a\u2028b"}, {"v": "c\u0085\fd"}),
        ["a\u2028b", "c\u0085\fd"],
    ),
    "a byte order mark": ("a.jsonl", "\ufeff" + lines({"v": "a"}), ["a"]),
    "UTF-16": ("a.jsonl", lines({"v": "é"}, {"v": "ü"}).encode("utf-16"), ["é", "ü"]),
    "windows lines": ("a.jsonl", '{"v": 1}\r\n\r\n{"v": 2}\r\n', [1, 2]),
    "documents over lines": (
        "a.json",
        PRETTY,
        [1, 2],
    ),
    "documents over lines called lines": (
        "a.jsonl",
        PRETTY,
        [1, 2],
    ),
    "documents in one line": ("a.jsonl", '{"v": 1}{"v": 2} {"v": 3}\n{"v": 4}', [1, 2, 3, 4]),
    "an array over lines": ("a.json", json.dumps([{"v": "a"}, {"v": "b"}], indent=2), ["a", "b"]),
    "an array called lines": ("a.jsonl", '[{"v": 1}, {"v": 2}]', [1, 2]),
    "rows in a field": (
        "a.json",
        json.dumps({"version": "1.1", "data": [{"v": "a"}, {"v": "b"}]}),
        ["a", "b"],
    ),
    "one chat": (
        "a.json",
        json.dumps({"v": [{"role": "user", "content": "x"}]}),
        [[{"role": "user", "content": "x"}]],
    ),
    "one object": ("a.json", '{"v": 1}', [1]),
    "one object in lines": ("a.jsonl", '{"v": [{"x": 1}]}', [[{"x": 1}]]),
    "numbers that are none": ("a.jsonl", '{"v": Infinity}\n{"v": 1.5}\n', [float("inf"), 1.5]),
    "types that come late": (
        "a.jsonl",
        lines(*({**row, "v": None} for row in FILLER[:6000]), {"text": "z", "v": "late"}),
        [None] * 6000 + ["late"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_values_are_what_the_file_says(case: str, read: Read) -> None:
    name, content, wanted = EXACT[case]
    rows, broken = read(content, name=name)
    assert [row["v"] for row in rows] == wanted
    assert broken == []


BROKEN: dict[str, tuple[bytes, int, Rows, Rows]] = {
    "a byte": (
        b'{"text": "ok"}\n{"text": "caf\xe9"}\n{"text": "ok2"}\n',
        2,
        [{"text": "ok"}, {"text": "ok2"}],
        [{"text": "ok"}, {"text": "caf\ufffd"}, {"text": "ok2"}],
    ),
    "a late byte": (
        b'{"text": "plain row"}\n' * 1000 + b'{"text": "caf\xe9"}\n',
        1001,
        [{"text": "plain row"}] * 1000,
        [{"text": "plain row"}] * 1000 + [{"text": "caf\ufffd"}],
    ),
    "half a pair": (
        b'{"text": "bad \\ud83d end", "v": 1}\n{"text": "ok", "v": 2}\n',
        1,
        [{"text": "ok", "v": 2}],
        [{"text": "bad \ufffd end", "v": 1}, {"text": "ok", "v": 2}],
    ),
    "a key twice": (
        b'{"text": "first", "text": "second"}\n{"text": "x"}\n',
        1,
        [{"text": "x"}],
        [{"text": "second"}, {"text": "x"}],
    ),
    "a key twice, deep down": (
        b'{"m": [{"a": 1, "a": 2}]}\n{"m": [{"a": 3}]}\n',
        1,
        [{"m": [{"a": 3}]}],
        [{"m": [{"a": 2}]}, {"m": [{"a": 3}]}],
    ),
    "no JSON": (
        b'{"text": "x"}\n{bad\n{"text": "y"}',
        2,
        [{"text": "x"}, {"text": "y"}],
        [{"text": "x"}, {"text": "{bad"}, {"text": "y"}],
    ),
    "the first line": (
        b'{"text": "x\n{"text": "y"}\n',
        1,
        [{"text": "y"}],
        [{"text": '{"text": "x'}, {"text": "y"}],
    ),
    "no object": (
        b'{"text": "x"}\n[1]\n',
        2,
        [{"text": "x"}],
        [{"text": "x"}, {"text": "[1]"}],
    ),
    "a number without end": (
        b'{"text": "x", "v": 1e999}\n{"text": "y", "v": 1.5}\n',
        1,
        [{"text": "y", "v": 1.5}],
        [{"text": '{"text": "x", "v": 1e999}', "v": None}, {"text": "y", "v": 1.5}],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_rows_are_named_left_out_or_repaired(case: str, read: Read) -> None:
    content, line, skipped, kept = BROKEN[case]
    with pytest.raises(MiStudioError, match=f"line {line} ") as caught:
        read(content)
    assert (caught.value.code, caught.value.field) == ("broken_file", "path")
    assert read(content, "skip") == (skipped, [line])
    rows, broken = read(content, "keep")
    assert broken == [line]
    assert [{k: v for k, v in row.items() if v is not None} for row in rows] == [
        {k: v for k, v in row.items() if v is not None} for row in kept
    ]


def test_the_text_of_a_broken_row_goes_where_a_person_says(read: Read) -> None:
    rows, _ = read('{"a": "x", "b": "y"}\n{bad\n', "keep", text_column="b")
    assert rows == [{"a": "x", "b": "y"}, {"a": None, "b": "{bad"}]


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", [40, 3_000, 200_000])
def test_values_nested_deeply_are_kept_or_refused(opening: str, depth: int, read: Read) -> None:
    closing = "]" if opening == "[" else "}"
    deep = f'{{"text": "x", "v": {opening * depth}1{closing * depth}}}'
    content = '{"text": "first", "v": null}\n' + deep + "\n"
    if depth < 100:
        rows, _ = read(content)
        assert rows[1]["v"] == json.loads(deep)["v"]
        return
    with pytest.raises(MiStudioError, match=r"line 2 .*nested too deeply"):
        read(content)
    assert read(content, "skip")[1] == [2]
    with pytest.raises(MiStudioError, match=r"line 2 .*nested too deeply"):
        read('[{"text": "first"},\n' + deep + "]", name="a.json")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[{"text": "a"},\n{"text": "b"}\n{"text": "c"}]', 3),
        ('[{"text": "a"},\n{"text": }]', 2),
        ('[{"text": "a"},\n', 2),
        ('{\n "text": "a"\n}\n{\n "text": "b",\n}\n', 6),
        ('{"version": 1,\n"data": [{"text": "a"},\n{"text": "b" "c"}]}', 3),
    ],
)
@pytest.mark.parametrize("bad_rows", ["stop", "skip", "keep"])
def test_a_mistake_between_documents_stops_with_its_line(
    content: str, line: int, bad_rows: str, read: Read
) -> None:
    """What follows cannot be told apart, so that leaving it out would be a wrong answer."""
    with pytest.raises(MiStudioError, match=f"line {line} cannot be read") as caught:
        read(content, bad_rows, name="a.json")
    assert caught.value.code == "broken_file"


def test_broken_rows_of_an_array_are_found_too(read: Read) -> None:
    content = b'[{"text": "caf\xe9"},\n{"text": "x", "text": "y"},\n{"text": "z"},\n4]'
    assert read(content, "skip", name="a.json") == ([{"text": "z"}], [1, 2, 4])
    rows, _ = read(content, "keep", name="a.json")
    assert [row["text"] for row in rows] == ["caf\ufffd", "y", "z", "4"]


def test_compressed_data_that_breaks_off_is_named(read: Read) -> None:
    whole = gzip.compress(json.dumps([{"text": str(i)} for i in range(4_000)]).encode())
    with pytest.raises(MiStudioError, match="ends early"):
        read(whole[: len(whole) // 2], name="a.json.gz")


def test_a_question_which_field_has_the_rows(tmp_path: Path, read: Read) -> None:
    content = {"train": [{"text": "a"}], "test": [{"text": "b"}], "version": 1}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, indent=1))
    with pytest.raises(MiStudioError, match="several lists of rows") as caught:
        settled(path)
    assert (caught.value.code, caught.value.field) == ("field_needed", "field")
    assert "train, test" in str(caught.value.hint)
    rows, _ = read(json.dumps(content), name="a.json", extra={"field": "test"})
    assert rows == [{"text": "b"}]
    with pytest.raises(LookupError, match="no field 'dev'"):
        settled(path, extra={"field": "dev"})


def test_what_is_left_out_around_the_rows_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"text": "a"}]}))
    (warning,) = settled(path).warnings
    assert "'data'" in warning
    assert "version is left out" in warning


def test_the_beginning_of_a_file_is_read_without_a_complaint_about_its_end(read: Read) -> None:
    rows = [{"text": "x" * 500, "n": i} for i in range(5000)]
    for content in (lines(*rows), json.dumps(rows), json.dumps(rows, indent=1)):
        found, broken = read(content, "skip", name="a.json", limit=1 << 20)
        assert found == rows[: len(found)]
        assert 200 < len(found) < 5000
        assert broken == []


def test_a_huge_array_needs_the_memory_of_its_rows(tmp_path: Path) -> None:
    """The rows are cut out while the text is read; more is never held than some blocks."""
    import tracemalloc

    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write("[")
        for i in range(4_000):
            file.write((", " if i else "") + json.dumps({"text": "x" * 10_000, "n": i}))
        file.write("]")
    tracemalloc.start()
    n_rows = 0
    settings = settled(path).settings
    for table in json_file.tables(Content(path, path.name), settings, BadRows("stop", "a.json")):
        n_rows += table.num_rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_rows == 4_000
    assert path.stat().st_size > 40e6
    assert peak < 35e6


# Drawn files ---------------------------------------------------------------------------

TEXTS = ["", "plain", "007", "2024-02-30", "1e5", "null", "é\u2028ü", '"quoted"', "😀", "\\", "[1]"]


def drawn_value(dice: random.Random, kind: str, depth: int = 0) -> Any:
    """Draw a value of some kind; kinds name what people have in one column."""
    if dice.random() < 0.1:
        return None
    match kind:
        case "text":
            return dice.choice(TEXTS)
        case "int":
            return dice.choice([0, -1, 7, 2**31, 2**53 + 1, -(2**63)])
        case "small":
            return dice.randint(-1000, 1000)
        case "huge":
            return dice.choice([2**63, -(2**70), 5])
        case "float":
            return dice.choice([0.1, 1e-12, 0.1234567890123456, 1e300, -2.5])
        case "number":
            return drawn_value(dice, dice.choice(["small", "float"]))
        case "odd number":
            return drawn_value(dice, dice.choice(["int", "float"]))
        case "flag":
            return dice.random() < 0.5
        case "mixed":
            return drawn_value(dice, dice.choice(["text", "small", "flag", "float"]))
        case "list":
            item = dice.choice(["text", "small", "float"])
            return [drawn_value(dice, item) for _ in range(dice.randint(0, 3))]
        case "object":
            return {key: drawn_value(dice, "text") for key in ("a", "b")}
        case "loose object":
            keys = dice.sample(["a", "b", "c"], dice.randint(0, 3))
            return {key: drawn_value(dice, "anything", depth + 1) for key in keys}
        case "turns":
            return [
                {"role": "user", "content": dice.choice(TEXTS)} for _ in range(dice.randint(0, 3))
            ]
        case _:
            kinds = ["text", "small", "float", "huge", "flag", "list", "object", "turns"]
            return drawn_value(dice, dice.choice(kinds if depth > 2 else [*kinds, "loose object"]))


KINDS = (
    *("text", "int", "small", "huge", "float", "number", "odd number", "flag", "mixed", "list"),
    *("object", "loose object", "turns", "anything"),
)


def drawn_rows(seed: int) -> Rows:
    dice = random.Random(seed)
    columns = {f"c{i}": dice.choice(KINDS) for i in range(dice.randint(1, 5))}
    rows = []
    for _ in range(dice.choice([1, 7, 60])):
        there = [name for name in columns if dice.random() < 0.9] or list(columns)[:1]
        rows.append({name: drawn_value(dice, columns[name]) for name in there})
    return rows


def as_imported(rows: Rows) -> Rows:
    """Return rows as they are stored, by a plain look at all values of each column.

    Numbers that fit no type together, and scalars of several kinds, become text. Nothing else
    changes, apart from whole numbers among fractions.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    stored: Rows = [{} for _ in rows]
    for name in names:
        values = [row.get(name) for row in rows]
        there = [value for value in values if value is not None]
        kinds = {type(value) for value in there}
        whole = [value for value in there if type(value) is int]
        fits = all(-(2**63) <= value < 2**63 for value in whole)
        exact = all(abs(value) <= 2**53 for value in whole)
        if kinds & {list, dict} or (len(kinds) < 2 and (kinds != {int} or fits)):
            pass
        elif kinds == {int, float} and exact:
            values = [None if value is None else float(value) for value in values]
        else:
            values = [
                value if value is None or isinstance(value, str) else json.dumps(value)
                for value in values
            ]
        for row, value in zip(stored, values, strict=True):
            row[name] = value
    return stored


def same(first: Any, second: Any) -> bool:
    """Return whether values are equal in value and in type, whole numbers among floats aside."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)


@pytest.mark.parametrize("seed", range(120))
def test_drawn_files_come_through(seed: int, read: Read) -> None:
    rows = drawn_rows(seed)
    wanted = as_imported(rows)
    for name, content in (
        ("a.jsonl", lines(*rows)),
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
        ("a.json", json.dumps(rows, indent=seed % 3 or None)),
    ):
        found, broken = read(content, name=name)
        assert broken == []
        assert len(found) == len(wanted)
        for i, (here, there) in enumerate(zip(found, wanted, strict=True)):
            assert same({**dict.fromkeys(there), **here}, there), (i, rows[i])


@pytest.mark.parametrize("seed", range(60))
def test_the_quick_way_gives_what_the_exact_one_gives(
    seed: int, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = lines(*drawn_rows(1000 + seed), *drawn_rows(2000 + seed))
    quick = read(content)
    monkeypatch.setattr(json_rows, "read_quickly", lambda *_: None)
    assert repr(read(content)) == repr(quick)


def test_ordinary_files_take_the_quick_way(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {
            "text": f"row {i}",
            "n": i,
            "score": i / 7,
            "when": "2023-01-01T10:00:00",
            "tags": ["a"],
            "messages": [{"role": "user", "content": "x"}],
        }
        for i in range(100)
    ]
    monkeypatch.setattr(json_rows.RowTables, "_exact", None)
    assert read(lines(*rows))[0] == rows
    assert read(json.dumps(rows), name="a.json")[0] == rows
