"""The sample model: opens offline, lossless tokenizer, as good as its card says."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mistudio_ext.sample import DATASET_NAME, MODEL_DIR, MODEL_NAME
from mistudio_ext.sample.baselines import baseline_losses
from mistudio_ext.sample.card import write_card
from mistudio_ext.sample.corpus import documents


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((MODEL_DIR / "training.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def tokenizer(offline: None) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_DIR)


@pytest.fixture(scope="module")
def model(offline: None) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32)


@pytest.fixture(scope="module")
def validation() -> list[str]:
    return [document["text"] for document in documents("validation")]


def test_names() -> None:
    assert (DATASET_NAME, MODEL_NAME) == ("sample-stories", "sample-model")


def test_model_is_small() -> None:
    assert sum(path.stat().st_size for path in MODEL_DIR.iterdir()) < 8_000_000


def test_architecture(model: Any, record: dict[str, Any]) -> None:
    config = model.config
    assert config.model_type == "llama"
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (6, 192, 6)
    assert config.max_position_embeddings == 512
    assert config.tie_word_embeddings
    assert str(config.dtype) in ("torch.float32", "torch.bfloat16")
    assert sum(p.numel() for p in model.parameters()) == record["parameters"]


def test_saved_in_bfloat16() -> None:
    from safetensors import safe_open

    with safe_open(MODEL_DIR / "model.safetensors", framework="pt") as tensors:
        assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118 == {"BF16"}


def test_special_tokens(tokenizer: Any, model: Any) -> None:
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<s>",
        "</s>",
        "<pad>",
    )
    ids = tokenizer("Nora laughed.")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id == model.config.bos_token_id
    assert ids[1:] == tokenizer("Nora laughed.", add_special_tokens=False)["input_ids"]
    assert tokenizer.pad_token_id == model.config.pad_token_id
    assert len(tokenizer) == model.config.vocab_size


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tokenizer_is_lossless(tokenizer: Any, split: str) -> None:
    texts = [document["text"] for document in documents(split)][:600]
    texts += ["  two  spaces ", "tab\tand\r\nlines\n\n", "日本語 and 🦉", "don 't , ok ?"]
    batch = tokenizer(texts, verbose=False)["input_ids"]
    assert tokenizer.batch_decode(batch, skip_special_tokens=True) == texts


def test_recorded_validation_loss_holds(
    model: Any, tokenizer: Any, record: dict[str, Any], validation: list[str]
) -> None:
    from mistudio_ext.sample.train import evaluate

    quick = record["quick_check"]
    measured = evaluate(model, tokenizer, validation[: quick["validation_documents"]])
    assert measured == pytest.approx(quick["validation_loss"], rel=0.02)
    assert measured == pytest.approx(record["final_validation_loss"], rel=0.2)
    assert measured < 0.7 * record["bigram_loss"]


def test_card_is_the_one_that_the_records_give(record: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(MODEL_DIR / "probes.json", tmp_path)
    write_card(record, tmp_path)
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written == (MODEL_DIR / "README.md").read_text(encoding="utf-8")


def test_better_than_counting(record: dict[str, Any]) -> None:
    assert record["final_validation_loss"] < 0.7 * record["bigram_loss"]
    assert record["bigram_loss"] < record["unigram_loss"]
    assert record["validation_perplexity"] == pytest.approx(
        math.exp(record["final_validation_loss"])
    )


def test_baselines() -> None:
    losses = baseline_losses([[0, 1, 1], [0, 2]], [[0, 1]], vocabulary=4)
    unigram = (2 + 1) / (3 + 4)
    bigram = 2 / (2 + 2) * 1 / 2 + 2 / (2 + 2) * unigram
    assert losses == pytest.approx(
        {"unigram_loss": -math.log(unigram), "bigram_loss": -math.log(bigram)}
    )


def test_packing_keeps_documents_apart(model: Any, tokenizer: Any, validation: list[str]) -> None:
    from mistudio_ext.sample.batches import batches, encode, pack

    short = sorted(validation, key=len)[:4]
    (batch,) = batches(pack(tokenizer, short), 4)
    alone = torch.tensor([encode(tokenizer, short[-1])])
    length = alone.shape[1]
    with torch.inference_mode():
        packed = model(**{k: v for k, v in batch.items() if k != "labels"}).logits[0]
        end = int((batch["labels"][0] != -100).nonzero().max()) + 1
        torch.testing.assert_close(
            packed[end - length : end], model(alone).logits[0], rtol=1e-4, atol=1e-4
        )


def test_continues_a_story(model: Any, tokenizer: Any) -> None:
    prompt = tokenizer("Elena lived in Saltby, a small", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=2, do_sample=False)
    assert tokenizer.decode(out[0], skip_special_tokens=True).endswith("a small harbour town")
