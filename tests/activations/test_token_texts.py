"""Texts of tokens and samples, for tokenizers of every kind and rows cut in every way."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, ByT5Tokenizer, CanineTokenizer

from mistudio_ext.activations.handle import Activations
from mistudio_ext.activations.tokenizer import TokenTexts
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Frame
from mistudio_ext.workers.text_encoder import TextEncoder
from mistudio_ext.workers.tokenize import tokenize_rows
from tests.workers.conftest import tokenizers
from tests.workers.drawn_tokenizers import draw_tokenizer

__all__ = ["tokenizers"]

SENTENCE = "the quick dog"


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2 as it was published first: vocab.json and merges.txt alone."""
    folder = tmp_path_factory.mktemp("gpt2")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the quick brown fox jumps over the lazy dog"] * 10, trainer)
    tokenizer.model.save(str(folder))
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 280}))
    return folder


def test_vocab_and_merges(gpt2: Path, tmp_path: Path) -> None:
    ids = AutoTokenizer.from_pretrained(gpt2)(SENTENCE)["input_ids"]
    encoder = TextEncoder.load(gpt2)
    assert encoder.encode([SENTENCE]) == [ids]
    encoder.save_for_preview(tmp_path)
    for texts in (TokenTexts([gpt2]), TokenTexts([tmp_path], load=False)):
        assert "".join(str(texts.text(token)) for token in ids) == SENTENCE
        assert texts.decode(ids) == SENTENCE


def test_wordpiece_vocabulary(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "do", "##g"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 9}))
    encoder = TextEncoder.load(tmp_path)
    assert encoder.frame == Frame((2,), (3,), 2, 3)
    ids = encoder.encode([SENTENCE])[0]
    texts = TokenTexts([tmp_path])
    assert [texts.text(token) for token in ids] == ["the", "quick", "do", "##g"]


@pytest.mark.parametrize("kind", [ByT5Tokenizer, CanineTokenizer])
def test_tokenizers_written_in_python(kind: type, tmp_path: Path) -> None:
    kind().save_pretrained(tmp_path / "model")
    encoder = TextEncoder.load(tmp_path / "model")
    assert not encoder.save_for_preview(tmp_path / "prepared")
    ids = encoder.encode(["hé 学"])[0]
    own = [encoder.decode(token) for token in ids]
    assert own == (
        ["h", "\ufffd", "\ufffd", " ", *"\ufffd" * 3] if kind is ByT5Tokenizer else list("hé 学")
    )
    prepared = TokenTexts([tmp_path / "prepared"], load=False)
    for texts in (TokenTexts([tmp_path / "model"]), prepared):
        assert [texts.text(token) for token in ids] == own
    assert prepared.text(10**9) is None


def test_the_server_reads_texts_without_transformers(gpt2: Path, tmp_path: Path) -> None:
    ByT5Tokenizer().save_pretrained(tmp_path / "model")
    TextEncoder.load(tmp_path / "model").save_for_preview(tmp_path / "prepared")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from mistudio_ext.activations.text import TextSource\n"
        "source = TextSource({'model_path': sys.argv[1]}, Path(sys.argv[2]), load=False)\n"
        "assert source.token_text(107) == 'h', source.token_text(107)\n"
        "assert 'transformers' not in sys.modules and 'torch' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path / "prepared")]
    subprocess.run(arguments, check=True)


@pytest.mark.parametrize("seed", range(12))
def test_texts_of_drawn_tokenizers(seed: int, tmp_path: Path) -> None:
    """Texts of all tokens and of whole samples are the tokenizer's own."""
    rng = random.Random(seed)
    own = draw_tokenizer(rng)
    own.save_pretrained(tmp_path)
    texts = TokenTexts([tmp_path])
    for token in range(len(own)):
        piece = own.convert_ids_to_tokens(token)
        expected = piece.replace("\u2581", " ") if "\u2581" in piece else own.decode([token])
        assert texts.text(token) == expected


LINES = [
    "again again again and again",
    "a b a b a b a b a b a b",
    "<s> is written </s> here </s>",
    "Ünïcode 🙂🙂🙂 漢字漢字漢字 again again",
]


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "chunk", "context": 5},
        {"mode": "chunk", "context": 7, "overlap": 3},
        {"mode": "chunk", "context": 4, "special_tokens": False},
        {"mode": "truncate", "context": 6},
    ],
    ids=str,
)
def test_a_sample_has_its_own_part_of_a_text_that_repeats(settings, make, tokenizers, tmp_path):  # type: ignore[no-untyped-def]
    """Each part is that at its place in the row, as the tokenizer's spans tell."""
    encoder = TextEncoder.load(tokenizers["bert"])
    block = tokenize_rows(encoder, LINES, TokenizationSpec(**settings))
    split = tmp_path / "data/datasets/ds/train"
    split.mkdir(parents=True)
    table = pa.table({"text": LINES})
    with pa.ipc.new_stream(str(split / "data.arrow"), table.schema) as out:
        out.write_table(table)
    writer = make(
        lengths=list(block.lengths), model_path=str(tokenizers["bert"]),
        dataset_path=str(split.parent), text_column="text", tokenization=settings,
    )  # fmt: skip
    writer.tokens = np.array(block.tokens, np.uint16)
    writer.rows = np.array(block.rows)
    folder = writer.all().folder
    np.save(folder / "starts.npy", np.array(block.starts, np.int32))
    acts = Activations(folder)
    backend = encoder.tokenizer.backend_tokenizer
    special = 2 if settings.get("special_tokens", True) else 0
    for i, (row, start, length) in enumerate(
        zip(block.rows, block.starts, block.lengths, strict=True)
    ):
        spans = backend.encode(LINES[row], add_special_tokens=False).offsets
        part = spans[start : start + length - special]
        assert acts.sample(i).text == LINES[row][part[0][0] : part[-1][1]], i
        assert acts.locate(int(acts.offsets[i])).row == row
