from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from mistudio_ext.activations.handle import Activations

SAMPLE_MODEL = Path(__file__).parents[2] / "mistudio_ext" / "sample" / "model"
TEXTS = [
    "Mira found three red kites by the river. “Take one,” said Tom — naïve as ever.",
    "A list: 1, 2, 3.",
    "On 5 May 1999 it rained.\n\nThe end.",
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(SAMPLE_MODEL / "tokenizer.json"))


@pytest.fixture
def places(tmp_path):
    """A model folder with a tokenizer, and a dataset folder with a split."""
    model, dataset = tmp_path / "model", tmp_path / "dataset"
    model.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(SAMPLE_MODEL / name, model / name)
    (dataset / "train").mkdir(parents=True)
    table = pa.table({"text": TEXTS, "id": [1, 2, 3]})
    with pa.ipc.new_stream(
        str(dataset / "train" / "data-00000-of-00001.arrow"), table.schema
    ) as out:
        out.write_table(table)
    return {"model_path": str(model), "dataset_path": str(dataset), "text_column": "text"}


def _acts(make, places, samples, **spec):
    """`samples`: [(dataset row, token ids)]."""
    writer = make(lengths=[len(ids) for _, ids in samples], **places, **spec)
    writer.tokens = np.concatenate([ids for _, ids in samples]).astype(np.uint16)
    writer.rows = np.array([row for row, _ in samples])
    return Activations(writer.all().folder)


def test_text_of_whole_rows(make, places, tokenizer):
    samples = [(row, tokenizer.encode(text).ids) for row, text in enumerate(TEXTS)]
    acts = _acts(make, places, samples)
    assert [acts.sample(i).text for i in range(3)] == TEXTS
    assert [acts.sample(i).row for i in range(3)] == [0, 1, 2]


def test_text_of_a_part_is_the_datasets_own(make, places, tokenizer):
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    acts = _acts(make, places, [(0, ids[:6]), (0, ids[6:11])])
    first, second = acts.sample(0).text, acts.sample(1).text
    assert TEXTS[0].startswith(first)
    assert TEXTS[0][len(first) :].lstrip().startswith(second.strip())
    assert 0 < len(second) < len(TEXTS[0])


def test_text_without_the_dataset_is_decoded(make, places, tokenizer):
    shutil.rmtree(places["dataset_path"])
    acts = _acts(make, places, [(1, tokenizer.encode(TEXTS[1]).ids)])
    assert acts.sample(0).text == TEXTS[1]


def test_text_of_tokens_that_are_not_of_the_row(make, places, tokenizer):
    """As with contexts that are packed from several rows, or a changed dataset."""
    acts = _acts(make, places, [(0, tokenizer.encode(TEXTS[1]).ids)])
    assert acts.sample(0).text == TEXTS[1]


def test_text_without_the_tokenizer(make, places, tokenizer):
    shutil.rmtree(places["model_path"])
    acts = _acts(make, places, [(2, tokenizer.encode(TEXTS[2]).ids)])
    assert acts.sample(0).text == TEXTS[2]
    assert acts.locate(0).token is None


def test_tokens_join_to_the_text(make, places, tokenizer):
    ids = tokenizer.encode(TEXTS[1], add_special_tokens=False).ids
    acts = _acts(make, places, [(1, ids)])
    assert "".join(acts.locate(t).token for t in range(len(ids))).strip() == TEXTS[1]
    assert acts.locate(3)[:3] == (0, 3, 1)


def test_a_column_that_is_not_text(make, places, tokenizer):
    ids = tokenizer.encode(TEXTS[1], add_special_tokens=False).ids
    acts = _acts(make, {**places, "text_column": "id"}, [(1, ids)])
    assert acts.sample(0).text == TEXTS[1]
    assert acts._text.row_text(1) is None
