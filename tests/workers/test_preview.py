"""The live preview shows what the real run gives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.preview import Previewer, open_previewer
from mistudio_ext.workers.text_encoder import TextEncoder
from mistudio_ext.workers.tokenize import tokenize_rows
from tests.workers.conftest import TEXTS

SETTINGS: list[dict[str, Any]] = [
    {"context": 8},
    {"context": 8, "mode": "chunk", "overlap": 2},
    {"context": 20, "mode": "pack"},
    {"context": 12, "mode": "pack", "bos": "first"},
    {"context": 9, "mode": "chunk", "special_tokens": False},
]


@pytest.mark.parametrize("kind", ["llama", "bert", "gpt"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_preview_gives_the_same_ids_as_the_run(
    kind: str, settings: dict[str, Any], tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    encoder = TextEncoder.load(tokenizers[kind])
    assert encoder.save_for_preview(tmp_path / "model")
    spec = TokenizationSpec(**settings)
    real = tokenize_rows(encoder, TEXTS, spec)
    found = open_previewer(tmp_path / "model").preview(TEXTS, spec)
    shown = [[chip["id"] for chip in context["tokens"]] for context in found["contexts"]]
    assert shown == [context.tolist() for context in real.contexts()]
    assert [context["row"] for context in found["contexts"]] == real.rows
    assert found["skipped"] == {"empty": real.empty, "short": real.short, "junk": 0}
    assert found["n_tokens"] == len(real.tokens)
    part = open_previewer(tmp_path / "model").preview(TEXTS, spec, offset=1, limit=2)
    assert part == {**found, "contexts": found["contexts"][1:3]}


def test_chips_say_what_they_are(tokenizers: dict[str, Path], tmp_path: Path) -> None:
    TextEncoder.load(tokenizers["llama"]).save_for_preview(tmp_path / "model")
    text = "The cat 漢"
    (context,) = Previewer(tmp_path / "model").preview([text], TokenizationSpec(context=99))[
        "contexts"
    ]
    first, *rest = context["tokens"]
    assert first == {"id": 0, "text": "<s>", "special": True}
    assert "".join(chip["text"] for chip in rest).endswith("<0xE6><0xBC><0xA2>")
    for chip in rest:
        assert not chip["special"]
        if "<0x" not in chip["text"]:
            assert text[chip["start"] : chip["end"]] in (chip["text"], chip["text"].strip())


def test_slow_tokenizers_and_chats_say_so(tokenizers: dict[str, Path], tmp_path: Path) -> None:
    assert not TextEncoder.load(tokenizers["slow"]).save_for_preview(tmp_path / "slow")
    with pytest.raises(InvalidInputError) as caught:
        open_previewer(tmp_path / "slow")
    assert caught.value.code == "no_preview"
    TextEncoder.load(tokenizers["llama"]).save_for_preview(tmp_path / "model")
    previewer = open_previewer(tmp_path / "model")
    with pytest.raises(InvalidInputError):
        previewer.preview(["x"], TokenizationSpec(context=9, chat_template=True))
    with pytest.raises(InvalidInputError) as caught:
        previewer.preview(["x" * 200_000], TokenizationSpec(context=9))
    assert caught.value.code == "too_long"


def test_chats_are_written_as_transformers_writes_them(
    tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizers["llama"])
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}\n{% if m.role == 'stop' %}\n{% break %}\n"
        "{% endif %}\n[{{ m.role }}]{{ m.content | tojson }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path / "chat")
    TextEncoder.load(tmp_path / "chat").save_for_preview(tmp_path / "model")
    turns = [{"role": "user", "content": 'Grüße "x"'}, {"role": "stop", "content": ""}]
    spec = TokenizationSpec(context=99, chat_template=True)
    found = open_previewer(tmp_path / "model").preview([turns], spec)
    assert found["texts"] == [tokenizer.apply_chat_template(turns, tokenize=False)]
    ids = [chip["id"] for chip in found["contexts"][0]["tokens"]]
    assert ids == tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)


def test_it_is_quick_and_needs_no_heavy_library(
    tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    TextEncoder.load(tokenizers["llama"]).save_for_preview(tmp_path / "model")
    code = f"""
import sys
from pathlib import Path
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.preview import open_previewer
found = open_previewer(Path({str(tmp_path / "model")!r}))
assert found.preview(["hello"], TokenizationSpec(context=9))["n_tokens"]
heavy = {{"torch", "transformers", "datasets", "pandas", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    previewer = open_previewer(tmp_path / "model")
    begin = time.process_time()
    previewer.preview(["Some words to look at. " * 40] * 20, TokenizationSpec(context=512))
    assert time.process_time() - begin < 0.2
