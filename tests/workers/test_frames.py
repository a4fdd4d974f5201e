"""The special tokens around a text are the tokenizer's own, whatever its vocabulary."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import ByT5Tokenizer, CanineTokenizer, PreTrainedTokenizerFast

from mistudio_ext.errors import InvalidInputError, MiStudioError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Frame
from mistudio_ext.store.preview import Previewer
from mistudio_ext.store.tokens import Tokenization
from mistudio_ext.workers.text_encoder import TextEncoder
from mistudio_ext.workers.tokenize import tokenize_rows
from mistudio_ext.workers.tokenizers import frame as frames
from tests.workers.drawn_tokenizers import draw_text, draw_tokenizer
from tests.workers.test_tokenize import make, samples, texts

__all__ = ["make"]

Make = Callable[..., Tokenization]


def words(vocab: list[str], template: str, **roles: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows these words alone, ``<s>`` and ``</s>`` first."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocab)}))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)


def digits(template: str = "<s> $A </s>") -> PreTrainedTokenizerFast:
    """Return a tokenizer that leaves out all but digits."""
    vocab = {"<pad>": 0, "<s>": 1, "</s>": 2, **{c: i + 3 for i, c in enumerate("0123456789+=")}}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def test_digits_get_bos_first_and_eos_last(make: Make, tmp_path: Path) -> None:
    digits().save_pretrained(tmp_path / "digits")
    found = make(tmp_path / "digits", texts(["12+7=19", "3+4=7"]))
    assert samples(found) == [[1, 4, 5, 13, 10, 14, 4, 12, 2], [1, 6, 13, 7, 14, 10, 2]]


def test_words_without_an_unknown_token(make: Make, tmp_path: Path) -> None:
    vocab = ["<s>", "</s>", "<pad>", "0", "1", "2", "+", "="]
    words(vocab, "$A", bos_token="<s>", eos_token="</s>").save_pretrained(tmp_path / "w")
    rows = ["1 + 2 = 0", "0 + 1 = 1", "2 + five = 7"]
    assert samples(make(tmp_path / "w", texts(rows[:2]))) == [[4, 6, 5, 7, 3], [3, 6, 4, 7, 4]]
    with pytest.raises(MiStudioError, match="fails on row 2") as caught:
        make(tmp_path / "w", texts(rows))
    assert caught.value.code == "bad_row"
    skipped = make(tmp_path / "w", texts(rows), bad_rows="skip").manifest["skipped"]
    assert (skipped["bad"], skipped["bad_rows"][0]["row"]) == (1, 2)
    TextEncoder.load(tmp_path / "w").save_for_preview(tmp_path / "preview")
    with pytest.raises(InvalidInputError) as refused:
        Previewer(tmp_path / "preview").preview(["five"], TokenizationSpec(context=9))
    assert refused.value.code == "bad_row"


@pytest.mark.parametrize(
    ("template", "prefix", "suffix"),
    [
        ("$A", (), ()),
        ("<s> $A", (0,), ()),
        ("$A </s>", (), (1,)),
        ("<s> <s> $A </s> </s>", (0, 0), (1, 1)),
    ],
)
@pytest.mark.parametrize("word", ["学", "7", "ก", "a"])
def test_a_vocabulary_of_three(
    template: str, prefix: tuple[int, ...], suffix: tuple[int, ...], word: str
) -> None:
    encoder = TextEncoder(words(["<s>", "</s>", word], template, bos_token="<s>", eos_token="</s>"))
    assert encoder.frame == Frame(prefix, suffix, 0, 1)


def test_tokenizers_written_in_python() -> None:
    assert TextEncoder(ByT5Tokenizer()).frame == Frame((), (1,), None, 1)
    assert TextEncoder(CanineTokenizer()).frame == Frame((57344,), (57345,), 57344, 57345)


@pytest.mark.filterwarnings("ignore:This sequence already has")
def test_a_text_that_ends_with_the_end_token_is_named(
    make: Make, tokenizers: dict[str, Path]
) -> None:
    """T5's kind adds no second end token: neither one nor two would be the same for all rows."""
    rows = texts(["plain", "it ends</s>", "also plain"])
    with pytest.raises(MiStudioError, match="Row 1: ") as caught:
        make(tokenizers["slow"], rows)
    assert caught.value.code == "other_special_tokens"
    found = make(tokenizers["slow"], rows, bad_rows="skip", context=99)
    assert found.rows.tolist() == [0, 2]
    plain = make(tokenizers["slow"], rows, special_tokens=False, context=99)
    assert (
        samples(plain)[1] == ByT5Tokenizer()("it ends</s>", add_special_tokens=False)["input_ids"]
    )


def test_a_tokenizer_that_looks_at_the_text(
    make: Make, tokenizers: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no probe shows is found on the dataset's own rows."""
    plain = ByT5Tokenizer.__call__

    def call(self: Any, text: Any, *args: Any, **kwargs: Any) -> Any:
        found = plain(self, text, *args, **kwargs)
        if text == "odd" and kwargs.get("add_special_tokens", True):
            found["input_ids"] = [1, *found["input_ids"]]
        return found

    monkeypatch.setattr(ByT5Tokenizer, "__call__", call)
    with pytest.raises(MiStudioError, match="Row 1: "):
        make(tokenizers["slow"], texts(["even", "odd", "even"]))


def test_special_tokens_that_are_never_the_same_are_refused_alone(
    make: Make, tokenizers: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pair(tokenizer: Any, encode: Any, text: str) -> tuple[list[int], list[int]]:
        inner = encode([text])[0]
        return [len(inner), *inner], inner

    monkeypatch.setattr(frames, "encoded", pair)
    encoder = TextEncoder.load(tokenizers["slow"])
    assert encoder.facts()["frame_problem"]
    with pytest.raises(MiStudioError) as caught:
        make(tokenizers["slow"], texts(["a", "bc"]))
    assert caught.value.code == "unsupported_tokenizer"
    found = make(tokenizers["slow"], texts(["a", "bc"]), special_tokens=False)
    assert samples(found) == [[100], [101, 102]]


@pytest.mark.parametrize("seed", range(40))
def test_drawn_tokenizers_give_their_own_ids(seed: int, tmp_path: Path) -> None:
    """Ids in all modes, the preview's ids and its spans, compared with the tokenizer itself."""
    rng = random.Random(seed)
    tokenizer = draw_tokenizer(rng)
    tokenizer.save_pretrained(tmp_path / "t")
    encoder = TextEncoder.load(tmp_path / "t")
    rows = [draw_text(rng) for _ in range(30)]
    known = []
    for row in rows:
        try:
            tokenizer(row)
        except Exception:  # noqa: BLE001 - a vocabulary without an unknown token
            continue
        known.append(row)
    context = rng.choice([5, 12, 400])
    own = [tokenizer(t, truncation=True, max_length=context)["input_ids"] for t in known]
    bare = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in known]
    filled = [i for i, ids in enumerate(bare) if ids]
    cut = tokenize_rows(encoder, known, TokenizationSpec(context=context))
    assert [c.tolist() for c in cut.contexts()] == [own[i] for i in filled]
    whole = TokenizationSpec(context=100_000, mode="chunk")
    chunks = tokenize_rows(encoder, known, whole)
    assert [c.tolist() for c in chunks.contexts()] == [
        tokenizer(known[i])["input_ids"] for i in filled
    ]
    packed = tokenize_rows(
        encoder, known, TokenizationSpec(context=7, mode="pack", special_tokens=False)
    )
    assert packed.tokens == [token for ids in bare for token in ids]
    encoder.save_for_preview(tmp_path / "preview")
    shown = Previewer(tmp_path / "preview").preview(known, whole)
    spans = [tokenizer(t, add_special_tokens=False, return_offsets_mapping=True) for t in known]
    for found, i in zip(shown["contexts"], filled, strict=True):
        assert [chip["id"] for chip in found["tokens"]] == tokenizer(known[i])["input_ids"]
        inner = [(c["start"], c["end"]) for c in found["tokens"] if "start" in c]
        assert inner == spans[i]["offset_mapping"]


def test_facts_are_json() -> None:
    assert json.loads(json.dumps(TextEncoder(digits()).facts()))["prefix"] == [1]
