"""Tiny real tokenizers, and a data folder with a job to do in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hubsim import hub, hub_root
from tests.workers.recorder import Recorder

__all__ = ["hub", "hub_root"]

TEXTS = [
    "The cat sat on the mat.",
    "Ünïcode and emoji 🙂 are bytes too.",
    "",
    "One, two, three, four, five, six, seven, eight, nine, ten.",
    "  leading spaces",
    "x",
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def import_dataset(data_dir: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the job ``dataset.import``."""
    from mistudio_ext.workers import import_dataset as worker

    def run(
        source: Path | None = None,
        report: Recorder | None = None,
        reserve: int = 0,
        data_dir: Path = data_dir,
        **settings: Any,
    ) -> dict[str, Any]:
        dataset = {
            "id": "ds_1",
            "name": "test",
            "source": "path" if source else "hub",
            "path": str(data_dir / "datasets/ds_1"),
            "source_path": str(source) if source else None,
            **settings,
        }
        spec = {"data_dir": str(data_dir), "disk_reserve_bytes": reserve, "dataset": dataset}
        return worker.run(spec, report or Recorder())

    return run


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders with small tokenizers of the common kinds."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("tokenizers")
    found: dict[str, Path] = {}

    def bpe(name: str, template: str | None, **specials: str) -> None:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<s>", "</s>", "<pad>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(TEXTS * 5, trainer)
        if template:
            tokenizer.post_processor = processors.TemplateProcessing(
                single=template, special_tokens=[("<s>", 0), ("</s>", 1)]
            )
        found[name] = root / name
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials).save_pretrained(found[name])

    bpe("llama", "<s> $A", bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    bpe("gpt", None, bos_token="<s>", eos_token="</s>")
    bpe("bert", "<s> $A </s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>")
    bpe("bare", None)
    found["slow"] = root / "slow"
    ByT5Tokenizer().save_pretrained(found["slow"])
    return found
