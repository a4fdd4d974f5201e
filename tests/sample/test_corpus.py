"""The sample corpus: deterministic, equal to the shipped files, labels true, no duplicates."""

import contextlib
import datetime as dt
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mistudio_ext.sample import DATASET_DIR
from mistudio_ext.sample.build import card
from mistudio_ext.sample.corpus import COLUMNS, KINDS, SPLITS, documents, generate
from mistudio_ext.sample.grammar import Draw, article, expand, joined, number_word, plural
from mistudio_ext.sample.words import FEELINGS, MONTHS, PEOPLE, WEEKDAYS

Documents = list[dict[str, Any]]
SHE = re.compile(r"\b(she|her|hers|herself)\b", re.IGNORECASE)
HE = re.compile(r"\b(he|him|his|himself)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def corpus() -> dict[str, Documents]:
    return {split: list(documents(split)) for split in SPLITS}


@pytest.fixture(scope="module")
def everything(corpus: dict[str, Documents]) -> Documents:
    return corpus["train"] + corpus["validation"]


def test_same_seed_same_documents() -> None:
    first = list(generate(50, seed=7))
    assert first == list(generate(50, seed=7))
    assert first[:20] == list(generate(20, seed=7))
    assert first != list(generate(50, seed=8))


def test_stream_is_the_one_that_python_promises_to_keep() -> None:
    draw = Draw(20)
    assert [draw.below(1000) for _ in range(5)] == [905, 686, 766, 904, 259]


def test_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown split 'test'"):
        next(documents("test"))


def test_shipped_files_equal_the_generator(corpus: dict[str, Documents]) -> None:
    for split, expected in corpus.items():
        (path,) = DATASET_DIR.glob(f"{split}-*.parquet")
        rows = pq.read_table(path).to_pylist()
        assert len(rows) == SPLITS[split]
        for number, (row, document) in enumerate(zip(rows, expected, strict=True)):
            assert row == document, f"{split} row {number}"


def test_card_is_the_one_that_build_writes() -> None:
    assert (DATASET_DIR / "README.md").read_text(encoding="utf-8") == card()


def test_shipped_files_are_small() -> None:
    assert sum(path.stat().st_size for path in DATASET_DIR.iterdir()) < 1_500_000


def test_datasets_opens_the_folder(tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset(str(DATASET_DIR), cache_dir=str(tmp_path))
    assert {name: split.num_rows for name, split in loaded.items()} == SPLITS
    assert tuple(loaded["train"].column_names) == COLUMNS


def test_no_duplicates(everything: Documents) -> None:
    assert len({document["text"] for document in everything}) == len(everything)


def test_every_kind_occurs_and_lengths_vary(corpus: dict[str, Documents]) -> None:
    for split in corpus.values():
        assert {document["kind"] for document in split} == set(KINDS)
        words = sorted(len(document["text"].split()) for document in split)
        assert words[0] < 12
        assert 60 < words[len(words) // 2] < 150
        assert words[-1] > 400


def test_protagonist_place_and_year_occur_in_the_text(everything: Documents) -> None:
    for document in everything:
        for column in ("protagonist", "place", "year"):
            value = document[column]
            assert value is None or str(value) in document["text"], (column, document)


def test_pronoun_is_the_only_one_of_its_gender(everything: Documents) -> None:
    checked = 0
    gender = {person.name: person.she for person in PEOPLE}
    for document in everything:
        text, pronoun = document["text"], document["pronoun"]
        if pronoun in ("she", "he"):
            own, other = (SHE, HE) if pronoun == "she" else (HE, SHE)
            assert gender[document["protagonist"]] == pronoun
            assert own.search(text), document
            assert not other.search(text), document
            checked += 1
        elif pronoun == "they":
            assert " and " in document["protagonist"]
            assert re.search(r"\b(they|them|their)\b", text, re.IGNORECASE), document
        elif pronoun == "I":
            assert re.search(r"\b(I|my|me|our|we)\b", text, re.IGNORECASE), document
    assert checked > 2500


def test_last_feeling_decides_the_sentiment(everything: Documents) -> None:
    sentiment = {word: label for label, words in FEELINGS.items() for word in words}
    for document in everything:
        words = re.findall(r"\w+", document["text"].lower())
        named = [sentiment[word] for word in words if word in sentiment]
        if document["sentiment"] is not None:
            assert named[-1] == document["sentiment"], document


def test_weekdays_of_the_diary_are_right(everything: Documents) -> None:
    pattern = re.compile(r"(\w+day), (\d+) (\w+) (\d{4})$")
    checked = 0
    for document in everything:
        header = document["text"].split("\n")[0]
        if document["kind"] == "diary" and (match := pattern.search(header)):
            weekday, day, month, year = match.groups()
            date = dt.date(int(year), MONTHS.index(month) + 1, int(day))
            assert WEEKDAYS[date.weekday()] == weekday, header
            checked += 1
    assert checked > 300


def test_sums_are_right(everything: Documents) -> None:
    checked = 0
    for document in everything:
        if document["kind"] == "arithmetic":
            for a, sign, b, c in re.findall(r"(\d+) ([-+x]) (\d+) = (-?\d+)", document["text"]):
                x, y = int(a), int(b)
                assert {"+": x + y, "-": x - y, "x": x * y}[sign] == int(c), document
                checked += 1
    assert checked > 500


def test_programs_print_what_they_say(everything: Documents) -> None:
    programs = [document["text"] for document in everything if document["kind"] == "code"]
    assert len(programs) > 100
    for program in programs:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(program, {})
        said = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
        said = said or re.findall(r"^# (.*)$", program, re.MULTILINE)
        assert out.getvalue().splitlines() == said, program


def test_lists_are_as_long_as_they_say(everything: Documents) -> None:
    numbers = {number_word(n): n for n in range(100)}
    for document in everything:
        if document["kind"] == "list":
            head, *rows = document["text"].split("\n")
            word = re.search(rf"\b({'|'.join(numbers)})\b", head, re.IGNORECASE)
            assert word, document
            assert numbers[word[1].lower()] == len(rows), document


def test_articles_and_spacing(everything: Documents) -> None:
    wrong = re.compile(r"\b[Aa] [aeio]\w+|\b[Aa]n [^aeiouh]\w+|\S  \S|[.,]{2}|[{}]|\b(\w+) \1\b")
    for document in everything:
        if document["kind"] != "code":
            found = wrong.search(document["text"])
            assert not found, (found, document)


def test_grammar() -> None:
    slots = {"thing": "umbrella", "name": "éric"}
    assert expand("{A:thing} for {Name}[ |  ].", slots, Draw(0)) == "An umbrella for Éric."
    assert expand("[[a|a]b|ab]", slots, Draw(0)) == "ab"
    with pytest.raises(KeyError):
        expand("{missing}", slots, Draw(0))
    assert [article(word) for word in ("hour", "unicorn", "egg")] == [
        "an hour",
        "a unicorn",
        "an egg",
    ]
    assert [plural(word) for word in ("fairy", "key", "brush", "leaf")] == [
        "fairies",
        "keys",
        "brushes",
        "leaves",
    ]
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert number_word(42) == "forty-two"


def test_importing_the_sample_imports_no_third_party_package() -> None:
    code = (
        "import sys; import mistudio_ext.sample.corpus, mistudio_ext.sample.train; "
        "assert not {'torch', 'numpy', 'pyarrow', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
