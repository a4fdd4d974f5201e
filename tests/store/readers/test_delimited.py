"""Delimited values: what was written comes back, or an error names the line."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.readers import BadRows, Content, Settings, delimited
from tests.store.readers.reading import Read, read


def file(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


WORDS = ["NA", "null", "None", "nan", "N/A", "n/a", "NULL", "hello"]


def test_words_for_nothing_stay_words(tmp_path: Path) -> None:
    path = file(tmp_path, "id,text\n" + "".join(f"{i},{w}\n" for i, w in enumerate(WORDS)))
    assert read(path, "csv").cells == [[i, word] for i, word in enumerate(WORDS)]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (["007", "010", "1e5"], ["007", "010", "1e5"]),
        (["1234567890123456789", "", "1577134800018226901"],
         [1234567890123456789, None, 1577134800018226901]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["2023-01-01", "2023-01-02"], ["2023-01-01", "2023-01-02"]),
        (["1", "2.5"], ["1", "2.5"]),
        (["1.0", "", "-2.5", "1e-05", "1e+16", "-0.0"], [1.0, None, -2.5, 1e-05, 1e16, -0.0]),
        (["0.00001", "1.0"], ["0.00001", "1.0"]),
        (["0.10", "0.5"], ["0.10", "0.5"]),
        (["1.23456789012345678", "1.0"], ["1.23456789012345678", "1.0"]),
        (["True", "False"], ["True", "False"]),
        (["+1", "2"], ["+1", "2"]),
        (["-0", "2"], ["-0", "2"]),
        ([" 1", "2"], [" 1", "2"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["１", "2"], ["１", "2"]),
        (["inf", "nan"], ["inf", "nan"]),
        (["", "x"], ["", "x"]),
    ],
)  # fmt: skip
def test_a_cell_is_text_until_its_column_is_numbers_without_loss(
    written: list[str], values: list[Any], tmp_path: Path
) -> None:
    path = file(tmp_path, "text,v\n" + "".join(f"row,{cell}\n" for cell in written))
    found = [row["v"] for row in read(path, "csv").rows]
    assert list(map(repr, found)) == list(map(repr, values))


NUMBERS = ["1", "-7", "0", "12.5", "1.0", "1e-07", "", "007", "1e5", "NA", "9" * 19, " 1", "0.1"]


@pytest.mark.parametrize("seed", range(20))
def test_numbers_become_the_texts_that_they_were(seed: int, tmp_path: Path) -> None:
    """The type of a column may lose nothing: each value, written back, is its cell."""
    draw = random.Random(seed)
    columns = [draw.choices(draw.sample(NUMBERS, draw.randint(1, 4)), k=30) for _ in range(4)]
    rows = list(zip(*columns, strict=True))
    path = file(tmp_path, "text,a,b,c,d\n" + "".join("x," + ",".join(r) + "\n" for r in rows))
    for row, wanted in zip(read(path, "csv").cells, rows, strict=True):
        back = ["" if v is None else repr(v) if isinstance(v, float) else str(v) for v in row[1:]]
        assert back == list(wanted)


@pytest.mark.parametrize("late", ["007", "-0", "+1", "0x10", "1.0", "1e5", "1.50", "nan", "inf"])
@pytest.mark.parametrize("early", ["7", "0.5"])
def test_a_late_cell_that_is_no_such_number_keeps_the_column_a_text(
    early: str, late: str, tmp_path: Path
) -> None:
    path = file(tmp_path, "text,v\n" + f"x,{early}\n" * 50 + f"x,{late}\n")
    found = [row["v"] for row in read(path, "csv").rows]
    if (early, late) == ("0.5", "1.0"):
        assert found == [0.5] * 50 + [1.0]
    else:
        assert found == [early] * 50 + [late]


BROKEN = {
    "trailing delimiter": ("id,text\n1,hello,\n2,world,\n", 2, "ends with a delimiter"),
    "unquoted commas": ("id,text\n1,Hello, world\n2,Good morning\n", 2, "3 values instead of 2"),
    "short row": ("id,text,label\n1,ok,a\n2,short\n4,fine,b\n", 3, "2 values instead of 3"),
    "behind a value of several lines": (
        'id,text\n1,"a\nb\r\nc"\n2,x\n3,y,z\n', 6, "3 values instead of 2"),
    "not in the encoding": (b"id,text\n1,x\n2,caf\xe9\n", 3, "not UTF-8"),
    "a quotation mark that is never closed": (
        'id,text\n1,"x, y"\n2,"open\n3,"z, z"\n4,"last"\n', 3, "do not balance"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_row_is_named_and_moves_no_column(case: str, tmp_path: Path) -> None:
    content, line, reason = BROKEN[case]
    path = file(tmp_path, content)
    with pytest.raises(MiStudioError, match=reason) as caught:
        read(path, "csv")
    assert caught.value.code == "broken_file"
    assert f"a.csv, line {line} " in str(caught.value)
    skipped, kept = read(path, "csv", "skip"), read(path, "csv", "keep")
    assert skipped.bad_rows.listed == kept.bad_rows.listed
    assert skipped.bad_rows.listed[0][0] == line
    assert len(kept.rows) == len(skipped.rows) + kept.bad_rows.kept


def test_what_is_kept_of_broken_rows(tmp_path: Path) -> None:
    path = file(tmp_path, b"id,text\n1,Hello, world\n2\n3,caf\xe9\n4,fine\n")
    assert [row["text"] for row in read(path, "csv", "keep").rows] == [
        "Hello, world", "", "caf\ufffd", "fine",
    ]  # fmt: skip


@pytest.mark.parametrize("choice", ["stop", "skip", "keep"])
def test_long_values_end_no_file(choice: str, tmp_path: Path) -> None:
    long = "x y " * 50_000
    for value in (long, f'"{long}, {long}"', f'{long} say "hi"'):
        path = file(tmp_path, f"id,text\n1,first\n2,{value}\n3,third\n4,fourth\n")
        found = read(path, "csv", choice)
        assert len(found.rows) == 4
        assert len(found.rows[1]["text"]) >= len(long)
        assert found.bad_rows.count == 0


FOUND: dict[str, tuple[bytes, dict[str, Any], list[list[Any]]]] = {
    "semicolons.csv": (
        b"id;text;score\n1;Hallo, Welt;0,95\n2;Guten Tag;1,5\n",
        {"delimiter": ";"},
        [[1, "Hallo, Welt", "0,95"], [2, "Guten Tag", "1,5"]],
    ),
    "cp1252.csv": (
        "text,label\ncafé “quote” €5,1\n".encode("cp1252"),
        {"encoding": "cp1252"},
        [["café “quote” €5", 1]],
    ),
    "sep_line.csv": (
        b"sep=;\r\nid;text\r\n1;hello\r\n2;world\r\n",
        {"delimiter": ";"},
        [[1, "hello"], [2, "world"]],
    ),
    "sep_line_utf16.csv": (
        "sep=\t\r\nid\ttext\r\n1\thé, llo\r\n".encode("utf-16"),
        {"delimiter": "\t", "encoding": "utf-16-le"},
        [[1, "hé, llo"]],
    ),
    "pandas_index.csv": (
        b",review,label\n0,very good film,1\n1,bad one,0\n",
        {"header": True},
        [[0, "very good film", 1], [1, "bad one", 0]],
    ),
    "quotes_are_text.tsv": (
        b'src\ttext\n1\t"Hello there\n2\tthree\n3\tsaid "hi"\n4\tand bye"\n5\tfive\n',
        {"quoting": "none"},
        [[1, '"Hello there'], [2, "three"], [3, 'said "hi"'], [4, 'and bye"'], [5, "five"]],
    ),
    "backslash.csv": (
        b'id,text\n1,"she said \\"hi, you\\""\n2,"C:\\\\"\n',
        {"quoting": "backslash"},
        [[1, 'she said "hi, you"'], [2, "C:\\\\"]],
    ),
    "commas.tsv": (b"id,text\n1,hello\n2,bye\n", {"delimiter": ","}, [[1, "hello"], [2, "bye"]]),
    "years.csv": (b"country,2019,2020\nA,5,6\n", {"header": True}, [["A", 5, 6]]),
    "numbered.csv": (b"0,1\n5,hello\n5,bye\n", {"header": True}, [[5, "hello"], [5, "bye"]]),
    "no_header.csv": (
        b'3,"Wall St. Bears"\n3,Carlyle\n4,Oil\n',
        {"header": False},
        [[3, "Wall St. Bears"], [3, "Carlyle"], [4, "Oil"]],
    ),
    "same_names.csv": (b"a,a,b\n1,2,x\n", {"header": True}, [[1, 2, "x"]]),
    "bom.csv": (b"\xef\xbb\xbfid,text\n1,x\n", {"header": True}, [[1, "x"]]),
    "bom_quoted.csv": (b'\xef\xbb\xbf"id","text"\n1,x\n', {"header": True}, [[1, "x"]]),
    "mac.csv": (b"id,text\r1,x\r2,y\r", {}, [[1, "x"], [2, "y"]]),
    "blank_lines.csv": (b"\nid,text\n\n1,x\n\n", {}, [[1, "x"]]),
    "separators.csv": ("id,text\n1,a\u2028b\x85c\fd\n".encode(), {}, [[1, "a\u2028b\x85c\fd"]]),
    "section.csv": ("id§text\n1§a\n".encode(), {"delimiter": "§"}, [[1, "a"]]),
}


@pytest.mark.parametrize("name", FOUND)
def test_how_a_file_is_written_is_found_and_said(name: str, tmp_path: Path) -> None:
    content, options, rows = FOUND[name]
    said = {"delimiter": "§"} if name == "section.csv" else {}
    found = read(file(tmp_path, content, name), "csv", **said)
    assert found.cells == rows
    assert options.items() <= found.read_as.options.items()
    assert found.read_as.said


def test_an_index_column_and_names_that_come_twice(tmp_path: Path) -> None:
    index = read(file(tmp_path, ",review\n0,good\n1,bad\n"), "csv")
    assert list(index.rows[0]) == ["index", "review"]
    assert "index" in index.read_as.warnings[-1]
    twice = read(file(tmp_path, "a,a,a.1,\n1,2,3,4\n"), "csv")
    assert list(twice.rows[0]) == ["a", "a.2", "a.1", "column_3"]


def test_a_delimiter_in_doubt_is_asked_for(tmp_path: Path) -> None:
    path = file(tmp_path, "name,first;age\nx,y;3\nu,v;4\n")
    with pytest.raises(MiStudioError, match=r"looks like '.' or '.'") as caught:
        read(path, "csv")
    assert (caught.value.code, caught.value.field) == ("delimiter_unclear", "delimiter")
    offered = [remedy["change"]["options"]["delimiter"] for remedy in caught.value.remedies]
    assert sorted(offered) == [",", ";"]
    assert read(path, "csv", delimiter=";").cells == [["x,y", 3], ["u,v", 4]]


def test_an_encoding_in_doubt_is_named(tmp_path: Path) -> None:
    """One byte may be damage: the row is broken, and the hint says what it looks like."""
    path = file(tmp_path, b"id,text\n1,na\xefve\n")
    with pytest.raises(MiStudioError, match=r"line 2 .*not UTF-8.* looks like windows-1252") as bad:
        read(path, "csv")
    assert bad.value.remedies[0]["change"] == {"options": {"encoding": "cp1252"}}
    assert read(path, "csv", encoding="cp1252").cells == [[1, "naïve"]]


def test_types_are_chosen(tmp_path: Path) -> None:
    path = file(tmp_path, "text,code,score\na,1,5\nb,2,2.50\nc,3, +7e1 \n")
    found = read(path, "csv", types={"code": "text", "score": "number"})
    assert found.cells == [["a", "1", 5.0], ["b", "2", 2.5], ["c", "3", 70.0]]
    whole = {"score": "integer"}
    with pytest.raises(MiStudioError, match=r"line 3 .*'2\.50' in column 'score' is not a whole"):
        read(path, "csv", types=whole)
    assert len(read(path, "csv", "skip", types=whole).rows) == 1
    assert [row["score"] for row in read(path, "csv", "keep", types=whole).rows] == [5, None, None]
    with pytest.raises(MiStudioError, match="no column 'x'") as caught:
        read(path, "csv", types={"x": "text"})
    assert caught.value.field == "types"


def test_a_damaged_byte_late_in_a_large_file(tmp_path: Path) -> None:
    lines = b"text,n\n" + b"plain row,1\n" * 100_000 + b"caf\xe9,2\n"
    with pytest.raises(MiStudioError, match="line 100002 "):
        read(file(tmp_path, lines), "csv")


def test_compressed_data_that_breaks_off(tmp_path: Path) -> None:
    draw = random.Random(0)
    text = "text,label\n" + "".join(f"row {draw.random()},{i}\n" for i in range(20_000))
    whole = gzip.compress(text.encode(), mtime=0)
    path = file(tmp_path, whole[: len(whole) // 2], "a.csv.gz")
    with pytest.raises(MiStudioError, match="the file ends early") as caught:
        read(path, "csv")
    assert caught.value.code == "broken_file"
    skipped = read(path, "csv", "skip")
    assert skipped.bad_rows.count == 1
    wanted = text.splitlines()[1 : len(skipped.rows) + 1]
    assert [f"{row['text']},{row['label']}" for row in skipped.rows] == wanted


def test_an_open_quotation_mark_swallows_no_rows_across_blocks(tmp_path: Path) -> None:
    rows = [f'{i},"row, {i}"' for i in range(500)]
    rows[100] = '100,"never closed'
    path = file(tmp_path, "id,text\n" + "\n".join(rows) + "\n")
    for block_bytes in (64, 1000, 1 << 20):
        found = read(path, "csv", "skip", block_bytes=block_bytes, quoting="standard")
        assert [line for line, _ in found.bad_rows.listed] == [102]
        assert [row["id"] for row in found.rows] == [i for i in range(500) if i != 100]


def only_exact(path: Path, block_bytes: int, **options: Any) -> list[list[Any]]:
    """Return the rows as the exact reader alone gives them."""
    content = Content(path, path.name, block_bytes=block_bytes)
    settings = delimited.settle(content, Settings.from_options(options)).settings
    blocks = delimited.Blocks(content, settings, BadRows("stop", path.name))
    blocks.end_of_rows = lambda block: None  # type: ignore[method-assign]
    return [list(row.values()) for table in blocks.tables() for row in table.to_pylist()]


PIECES = [
    "a", "b", "é", "日", '"', "'", ",", ";", "\t", "|", "\n", "\r", "\r\n", " ", "\\", "\u2028",
    "\f", "\x85", "0", "-", "😀", "",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_what_csv_writes_comes_back(seed: int, tmp_path: Path) -> None:
    """Python's own writer is the oracle, for both ways to read and for any bounds of blocks."""
    draw = random.Random(seed)
    delimiter, end = draw.choice(",;\t|"), draw.choice(["\n", "\r\n", "\r"])
    encoding = draw.choice(["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    # The writer leaves line ends of another kind than its own without quotation marks.
    quoting = csv.QUOTE_ALL if end != "\r\n" else draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    width = draw.randint(1, 5)
    rows = [
        [
            "".join(draw.choices(PIECES, k=draw.randint(0, draw.choice([3, 30]))))
            for _ in range(width)
        ]
        for _ in range(draw.randint(1, 40))
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow([f"name{i}" for i in range(width)])
    writer.writerows(rows)
    path = file(tmp_path, text.getvalue().encode(encoding))
    said = {"delimiter": delimiter, "header": True, "quoting": "standard"}
    types = {f"name{i}": "text" for i in range(width)}
    for block_bytes in (7, 50, 1 << 20):
        found = read(path, "csv", block_bytes=block_bytes, types=types, **said)
        assert found.cells == rows
        assert only_exact(path, block_bytes, **said) == rows


@pytest.mark.parametrize("seed", range(40))
def test_fast_and_exact_agree_on_any_bytes(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken rows, stray quotation marks and bytes: both ways find the same, and count the same."""
    draw = random.Random(seed)
    monkeypatch.setattr(delimited, "_EXACT_BYTES", draw.choice([8, 100, 1 << 20]))
    pieces = [piece.encode() for piece in PIECES if piece != "\r"] * 2 + [b",", b"\n", b'","'] * 6
    content = b"x,y\n" + b"".join(draw.choices([*pieces, b"\xff", b"\xe9"], k=400))
    path = file(tmp_path, content)
    said = {"delimiter": ",", "header": True, "quoting": draw.choice(["standard", "none"])}
    texts = {"types": {"x": "text", "y": "text"}}
    wanted: Read | None = None
    for block_bytes in (5, 64, 1 << 20):
        found = read(path, "csv", "keep", block_bytes=block_bytes, **said, **texts)
        if wanted is not None:
            assert found.cells == wanted.cells
            assert found.bad_rows.listed == wanted.bad_rows.listed
        wanted = found
