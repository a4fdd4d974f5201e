"""Queries of any shape, in any script, mean what a person expects."""

from __future__ import annotations

import random
import re
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import samples
from mistudio_ext.store.fulltext import Index, index_path
from mistudio_ext.store.query import MAX_DEPTH, highlights, parse
from mistudio_ext.store.search.words import PlacedWords, spaced, words_of
from tests.store.test_query import build
from tests.store.test_samples import save

CAFE = "Le café était fermé."
TEXTS = [
    "我们今天讨论机器学习和深度学习的区别。",
    CAFE,
    unicodedata.normalize("NFD", CAFE),
    "def foo_bar(x): return x",
    "the quick brown fox",
    "ฉันเรียนภาษาไทยทุกวัน",
    "今日は天気がいいですね",
    unicodedata.normalize("NFD", "東京でバスに乗ります"),
    "학교에서 공부했다",
    unicodedata.normalize("NFD", "도서관에서 책을"),
    "It was -5 degrees; range 3-5, then 7.",
    "C++17 and C# are not C",
    "Straße in İstanbul, Łódź, Ærøskøbing",
    "STRASSE IN ISTANBUL, LODZ, AEROSKOBING",
    "صَبَاحُ الْخَيْرِ",
    "Ａｆｕｌｌ width ﬁne ½",
    "party 🙂🎉 time",
    "мой ёж и его дом",
    "co\u00adoperate zero\u200bwidth",
    "text:x NEAR y",
]

#: Query, rows, and what is marked in the first of them.
FOUND = {
    "学习": ([0], ["学习", "学习"]),
    "机器学习": ([0], ["机器学习"]),
    "café": ([1, 2], ["café"]),
    "cafe\u0301": ([1, 2], ["café"]),
    "CAFE": ([1, 2], ["café"]),
    "ete*": ([], []),
    "etai*": ([1, 2], ["était"]),
    "foo_bar()": ([3], ["foo_bar"]),
    "foo_bar(x)": ([3], ["foo_bar(x"]),
    "quick brown fox the " * 25: ([4], ["the quick brown fox"]),
    "fox " * 2_000: ([4], ["fox"]),
    "ภาษาไทย": ([5], ["ภาษาไทย"]),
    "ภาษา วัน": ([5], ["ภาษา", "วัน"]),
    "天気": ([6], ["天気"]),
    "バス": ([7], [unicodedata.normalize("NFD", "バス")]),
    "ハス": ([], []),
    "학교": ([8], ["학교"]),
    "도서관": ([9], [unicodedata.normalize("NFD", "도서관")]),
    "-5": ([10], ["-5"]),
    "5": ([10], ["5", "5"]),
    "3-5": ([10], ["3-5"]),
    "C++": ([11], ["C++"]),
    "c#": ([11], ["C#"]),
    "strasse": ([12, 13], ["Straße"]),
    "istanbul LODZ": ([12, 13], ["İstanbul", "Łódź"]),
    "aeroskobing": ([12, 13], ["Ærøskøbing"]),
    "صباح الخير": ([14], ["صَبَاحُ", "الْخَيْرِ"]),
    "afull fine": ([15], ["Ａｆｕｌｌ", "ﬁne"]),
    "🎉": ([16], ["🎉"]),
    "мои": ([], []),
    "еж": ([17], ["ёж"]),
    "cooperate": ([18], ["co\u00adoperate"]),
    "width": ([15, 18], ["width"]),
    "text:x": ([19], ["text:x"]),
    "near": ([19], ["NEAR"]),
    "fox\x00 \ud800 quick": ([4], ["quick", "fox"]),
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = save(tmp_path_factory.mktemp("search") / "ds", [{"text": text} for text in TEXTS])
    build(path)
    return path


@pytest.mark.parametrize("text", FOUND, ids=lambda text: ascii(text)[:30])
def test_it_is_found_and_marked(text: str, dataset: Path) -> None:
    rows, marked = FOUND[text]
    query = parse(text)
    found = samples.page(dataset, None, "text", q=text)
    assert [sample["index"] for sample in found["samples"]] == rows
    assert found["total"] == len(rows)
    assert [i for i, hit in enumerate(query.mask(pa.chunked_array([TEXTS]))) if hit] == rows
    if rows:
        sample = found["samples"][0]
        if len(words_of(text)) < 90:
            assert sorted(sample["text"][a:b] for a, b in sample["highlights"]) == sorted(marked)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(" * 30_000, "query_too_long"),
        ("x" * 1_000_000, "query_too_long"),
        ("[" * 9_000, "bad_query"),
        ("(" * 9_000, "bad_query"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "bad_query"),
        (" ".join(map(str, range(1_100))), "query_too_long"),
        ("学" * 1_100, "query_too_long"),
        ("\x00", "bad_query"),
        ("\ud800", "bad_query"),
        ("a AND", "bad_query"),
        ("NEAR(", "bad_query"),
        ('"', "bad_query"),
        ("*", "bad_query"),
        ("-fox", "bad_query"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_cannot_be_searched_for_is_said(text: str, code: str, dataset: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        samples.page(dataset, None, "text", q=text)
    assert (caught.value.code, caught.value.field) == (code, "q")
    assert caught.value.hint
    assert len(caught.value.message) < 250
    caught.value.message.encode()


@pytest.mark.parametrize(
    "text",
    [
        " ".join(map(str, range(1_000))),
        " OR ".join(map(str, range(1_000))),
        '"' + " ".join(map(str, range(1_000))) + '"',
        "a NOT " + " NOT ".join(map(str, range(900))),
        "(" * MAX_DEPTH + "a" + ") OR b" * MAX_DEPTH,
        "学" * 1_000,
        "a-" * 400 + "1*",
    ],
    ids=lambda text: text[:20],
)
def test_the_index_takes_the_longest_queries(text: str, dataset: Path) -> None:
    found = samples.page(dataset, None, "text", q=text)
    scanned = parse(text).mask(pa.chunked_array([TEXTS])).sum()
    assert found["total"] == scanned


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("学习 café", "学习 AND cafe"),
        ("foo_bar()", '"foo bar"'),
        ("-5 -dog cat", "-5 AND cat NOT dog"),
        ("C++ c# text:x", 'c++ AND c# AND "text x"'),
        ("a (b OR c*) NOT d", "a AND (b OR c*) NOT d"),
        ('"and"', '"and"'),
        ("fox fox", "fox"),
    ],
)
def test_a_query_can_be_read_again(text: str, reading: str, dataset: Path) -> None:
    assert parse(text).read() == reading
    assert parse(reading) == parse(text)
    assert samples.page(dataset, None, "text", q=text)["searched"]["read_as"] == reading
    assert samples.page(dataset, None, "text")["searched"]["read_as"] is None


def test_an_index_of_another_version_is_not_asked_and_made_anew(tmp_path: Path) -> None:
    dataset = save(tmp_path / "ds", [{"text": "naïve"}, {"text": "naive"}])
    build(dataset)
    with closing(sqlite3.connect(index_path(dataset / "train"))) as db:
        db.execute("PRAGMA user_version = 0")
    assert Index.outdated(dataset / "train")
    assert Index.open(dataset / "train", "text") is None
    found = samples.page(dataset, None, "text", q="naive")
    assert (found["total"], found["searched"]["indexed"]) == (2, 0)
    build(dataset)
    assert not Index.outdated(dataset / "train")
    assert samples.page(dataset, None, "text", q="naive")["searched"]["indexed"] == 2


def some_text(rng: random.Random, alphabet: str) -> str:
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 14)))


#: Letters of many scripts, marks, and what stands between words.
ALPHABET = (
    "aabBcé e\u0301ñÉßİıøæ -5+#_.,()'\"  \n\u3000学习机日本がかハバパハ\u3099ｶﾞ한국어ㅎㅏ"
    "ไทยภาษ่ากำ العَرَبीहिन्दєйЙёꙮ🙂👩\u200d👧\ufe0f½²ﬁＡ１\u00ad\u200b\U0001d504\U00020000"
)


def test_marks_and_index_read_the_same_words_in_any_normal_form() -> None:
    rng = random.Random(1)
    for _ in range(4_000):
        text = some_text(rng, ALPHABET)
        placed = PlacedWords(text)
        assert placed.words.split() == spaced(text).split(), ascii(text)
        for form in ("NFC", "NFD"):
            assert words_of(unicodedata.normalize(form, text)) == words_of(text), ascii(text)


_UNSPACED = "\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e4e"
_PLAIN = re.compile(f"[{_UNSPACED}🙂👩👧]|(?:(?![{_UNSPACED}])[^\\W_]|[\u0900-\u0963])+")


def plain_words(text: str) -> list[str]:
    """Read a text by the documentation alone: a second way, for simple characters."""
    text = unicodedata.normalize("NFD", text.casefold())
    text = re.sub("[\u0300-\u036f\u064b-\u065f]", "", text)
    return _PLAIN.findall(unicodedata.normalize("NFC", text))


def test_drawn_queries_find_what_a_plain_scan_finds(tmp_path: Path) -> None:
    """Words, phrases, prefixes and operators in many scripts, compared with lists of words."""
    rng = random.Random(5)
    simple = "aabcéÉñ  ,. 学习机がハパ국어ไทย العَرَبहिन्द🙂 _()12"
    texts = [some_text(rng, simple) for _ in range(400)]
    dataset = save(tmp_path / "ds", [{"text": text} for text in texts])
    column = pa.chunked_array([texts])
    build(dataset)
    words = [plain_words(text) for text in texts]

    def holds(row: list[str], wanted: list[str], *, prefix: bool) -> bool:
        for at in range(len(row) - len(wanted) + 1):
            part = row[at : at + len(wanted)]
            if part[:-1] == wanted[:-1] and (
                part[-1] == wanted[-1] or (prefix and part[-1].startswith(wanted[-1]))
            ):
                return True
        return False

    asked = 0
    while asked < 300:
        source = rng.choice(texts)
        at = rng.randint(0, max(0, len(source) - 2))
        pieces = [source[at : at + rng.randint(1, 4)].replace('"', ""), some_text(rng, simple)[:3]]
        if not all(map(plain_words, pieces)):
            continue
        asked += 1
        star = rng.random() < 0.3
        first, second = (f'"{piece}"' for piece in pieces)
        operator = rng.choice(["AND", "OR", "NOT"])
        text = f"{first}{'*' if star else ''} {operator} {second}"
        one = [holds(row, plain_words(pieces[0]), prefix=star) for row in words]
        other = [holds(row, plain_words(pieces[1]), prefix=False) for row in words]
        join = {
            "AND": lambda a, b: a and b,
            "OR": lambda a, b: a or b,
            "NOT": lambda a, b: a and not b,
        }[operator]
        wanted = [i for i, pair in enumerate(zip(one, other, strict=True)) if join(*pair)]
        found = samples.page(dataset, None, "text", 0, 1000, q=text)
        assert [sample["index"] for sample in found["samples"]] == wanted, ascii(text)
        assert [i for i, hit in enumerate(parse(text).mask(column)) if hit] == wanted, ascii(text)
        for sample in found["samples"]:
            for start, end in highlights(parse(text), sample["text"]):
                marked = plain_words(sample["text"][start:end])
                assert any(holds(marked, plain_words(piece), prefix=star) for piece in pieces), (
                    ascii(text)
                )
