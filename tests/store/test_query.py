"""The language of the search box, and the index that answers it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mistudio_ext.errors import CancelledError, InvalidInputError
from mistudio_ext.store import fulltext, samples
from mistudio_ext.store.fulltext import Index, IndexBuilder, building_path, index_path
from mistudio_ext.store.query import highlights, parse
from mistudio_ext.workers import index as worker
from tests.store.test_samples import save, tokenization
from tests.workers.recorder import Recorder

TEXTS = [
    "The cat sat on the mat.",
    "A CAT, a dog; concatenate!",
    "Don't stop. The dog-house is red",
    "naïve café — Ärger",
    "Cats and dogs",
    "हिन्दी में लिखा",
    "",
    "猫 dog cat",
]

QUERIES = {
    "cat": [0, 1, 7],
    "CAT dog": [1, 7],
    "cat AND dog": [1, 7],
    "cat OR red": [0, 1, 2, 7],
    "cat NOT dog": [0],
    "cat -dog": [0],
    "dog AND NOT cat": [2],
    "cat*": [0, 1, 4, 7],
    '"the dog"': [2],
    '"the cat" OR "a dog"': [0, 1],
    '"sat on t"*': [0],
    "don't": [2],
    "dog-house": [2],
    "(mat OR red) the": [0, 2],
    "café": [3],
    "cafe": [3],
    "ärger": [3],
    "हिन्दी": [5],
    "猫": [7],
    '"unclosed dog': [],
    "and": [4],
    "!? dog ...": [1, 2, 7],
    "dog NOT (cat OR house)": [],
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return save(tmp_path / "ds", [{"text": text} for text in TEXTS])


def build(dataset: Path, report: Recorder | None = None, **settings: Any) -> dict[str, Any]:
    facts = {"id": "ds_1", "path": str(dataset), "text_column": "text", "fingerprint": "f"}
    spec = {"data_dir": str(dataset.parent), "dataset": {**facts, **settings}}
    return worker.run(spec, report or Recorder())


@pytest.mark.parametrize("text", QUERIES)
def test_index_scan_and_highlights_agree(text: str, dataset: Path) -> None:
    def rows() -> list[int]:
        return [s["index"] for s in samples.page(dataset, None, "text", q=text)["samples"]]

    assert rows() == QUERIES[text]
    build(dataset)
    assert Index.open(dataset / "train", "text") is not None
    assert rows() == QUERIES[text]
    query = parse(text)
    assert [i for i, value in enumerate(TEXTS) if query.found_in(value)] == QUERIES[text]
    for i in QUERIES[text]:
        assert highlights(query, TEXTS[i])


def test_random_queries_give_the_same_with_and_without_an_index(tmp_path: Path) -> None:
    rng = random.Random(3)
    words = ["ab", "abc", "bcd", "x", "it's", "Ünï", "9"]
    texts = [" ".join(rng.choices(words, k=rng.randrange(7))) for _ in range(300)]
    dataset = save(tmp_path / "ds", [{"text": text} for text in texts])
    build(dataset)
    found = Index.open(dataset / "train", "text")
    assert found is not None
    column = pa.chunked_array([texts[:99], texts[99:]])

    def term() -> str:
        return rng.choice([rng.choice(words), f'"{rng.choice(words)} {rng.choice(words)}"', "ab*"])

    for _ in range(150):
        text = term()
        for _ in range(rng.randrange(4)):
            text = f"({text} {rng.choice(['AND', 'OR', 'NOT', ''])} {term()})"
        query = parse(text)
        scanned = [i for i, hit in enumerate(query.mask(column)) if hit]
        assert found.all(query).tolist() == scanned, text
        assert found.count(query) == (len(scanned), True)
        assert [i for i, value in enumerate(texts) if query.found_in(value)] == scanned


def test_a_quick_page_does_not_wait_for_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time at all every page has its rows, and says that there may be more."""
    monkeypatch.setattr(fulltext, "_PART_ROWS", 16)
    monkeypatch.setattr(samples, "QUICK_S", -1.0)
    dataset = save(tmp_path / "ds", [{"text": f"a b {'c' * (i % 2)}"} for i in range(100)])
    save(dataset, [{"text": "b a b"}] * 3, "test")
    build(dataset)
    folder = tokenization(tmp_path / "tok", [1 + i % 3 for i in range(100)], list(range(100)))

    def ask(offset: int, limit: int, *, quick: bool = True, **more: Any) -> dict[str, Any]:
        return samples.page(
            dataset, more.pop("split", None), "text", offset, limit, q='"a b"', quick=quick, **more
        )

    def shown(found: dict[str, Any]) -> list[int]:
        return [sample["index"] for sample in found["samples"]]

    first = ask(0, 10)
    assert shown(first) == list(range(10))
    assert (first["total"], first["total_exact"]) == (10, False)
    over = ask(98, 4)
    assert [(s["split"], s["index"]) for s in over["samples"]] == [
        *(("train", 98), ("train", 99)),
        *(("test", 0), ("test", 1)),
    ]
    # The end of a split tells how many it has.
    assert ask(95, 10, split="train")["total_exact"]
    long = {"split": "train", "tokenization": folder, "min_tokens": 3}
    filtered = ask(2, 3, **long)
    assert shown(filtered) == [8, 11, 14]
    assert not filtered["total_exact"]
    assert filtered["total"] < (whole := ask(2, 3, quick=False, **long))["total"] == 33
    assert shown(whole) == shown(filtered)
    exact = ask(0, 0, quick=False)
    assert (exact["total"], exact["total_exact"]) == (103, True)
    assert ask(0, 10)["total_exact"], "a count is kept"


def test_highlights_cover_the_words_that_were_wanted() -> None:
    text = "Cats 🙂 and the cat, dogs"
    marked = [text[a:b] for a, b in highlights(parse('cat* OR "the cat" NOT dogs'), text)]
    assert marked == ["Cats", "the cat"]


@pytest.mark.parametrize("text", ["(", "cat )", "NOT cat", "-cat", "cat AND", "OR cat", "?!", '""'])
def test_queries_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.field) == ("bad_query", "q")


def test_an_unfinished_index_is_used_as_far_as_it_goes(dataset: Path) -> None:
    builder = IndexBuilder(dataset / "train", "text", "f")
    builder.add(TEXTS[:2])
    found = samples.page(dataset, None, "text", q="dog")
    assert [s["index"] for s in found["samples"]] == [1, 2, 7]
    builder._db.close()
    report = Recorder()
    assert build(dataset, report)["splits"] == [
        {"name": "train", "n_rows": 8, "bytes": index_path(dataset / "train").stat().st_size}
    ]
    assert [p.name for p in (dataset / "train").glob("index*")] == ["index.sqlite3"]
    again = Recorder()
    build(dataset, again)
    assert again.points == [(8, 8, "rows")]


@pytest.mark.parametrize("asked", ["page", "count", "parts", "words"])
def test_an_index_that_is_finished_while_it_is_asked(asked: str, dataset: Path) -> None:
    fulltext.forget_counts()
    builder = IndexBuilder(dataset / "train", "text", "f")
    builder.add(TEXTS)
    found, query = Index.open(dataset / "train", "text"), parse("dog*")
    assert found is not None
    builder.finish()
    answers = {
        "page": lambda: found.page(query, 0, 10),
        "count": lambda: found.count(query),
        "parts": lambda: found.all(query).tolist(),
        "words": lambda: [word["word"] for word in (found.words(1) or {})["top_words"]],
    }
    rows = [1, 2, 4, 7]
    expected = {"page": rows, "count": (4, True), "parts": rows, "words": ["cat"]}
    assert answers[asked]() == expected[asked]


def test_an_unfinished_index_of_other_rows_is_thrown_away(dataset: Path) -> None:
    builder = IndexBuilder(dataset / "train", "text", "another")
    builder.add(["wrong"] * 3)
    builder._db.close()
    build(dataset)
    assert samples.page(dataset, None, "text", q="wrong")["total"] == 0


def test_an_index_of_another_column_is_not_asked(dataset: Path) -> None:
    build(dataset)
    assert Index.open(dataset / "train", "title") is None


def test_cancelling_removes_the_unfinished_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH_ROWS", 10)
    dataset = save(tmp_path / "ds", [{"text": f"row {i}"} for i in range(100)])
    with pytest.raises(CancelledError):
        build(dataset, Recorder(cancel_after=3))
    assert [p.name for p in (dataset / "train").iterdir()] == ["data.arrow"]


def test_a_file_that_is_no_index_is_passed_over(dataset: Path) -> None:
    index_path(dataset / "train").write_bytes(b"not a database" * 100)
    building_path(dataset / "train").write_bytes(b"")
    assert samples.page(dataset, None, "text", q="cat")["total"] == 3


def test_frequent_words(dataset: Path) -> None:
    build(dataset)
    found = Index.open(dataset / "train", "text")
    assert found is not None
    words = found.words(2)
    assert words is not None
    top = words["top_words"]
    assert top == [{"word": "cat", "count": 3, "rows": 3}, {"word": "dog", "count": 3, "rows": 3}]
    assert words["unique_words"] > 15
    assert {word["count"] for word in words["rare_words"]} == {1}
    # Counted when the index was made, whatever the case; the rest is counted when it is asked.
    assert [found.count(parse(q))[0] for q in ("CAT", "nothing")] == [3, 0]


def test_ids_have_no_text_to_index(dataset: Path) -> None:
    with pytest.raises(InvalidInputError):
        build(dataset, text_column=None)
