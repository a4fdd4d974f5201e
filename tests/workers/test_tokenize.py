"""Splits turned into flat token ids by real tokenizers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mistudio_ext import sample
from mistudio_ext.errors import CancelledError, MiStudioError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.tokens import Tokenization
from mistudio_ext.workers import quick_encoder, token_checkpoint, token_rows, tokenize
from mistudio_ext.workers.quick_encoder import QuickEncoder
from mistudio_ext.workers.text_encoder import TextEncoder
from tests.workers.conftest import TEXTS
from tests.workers.recorder import Recorder

Import = Callable[..., dict[str, Any]]
ARRAYS = ["tokens", "offsets", "rows", "starts"]
KINDS = ["llama", "gpt", "bert", "slow"]


@pytest.fixture
def make(tmp_path: Path, data_dir: Path, import_dataset: Import) -> Callable[..., Tokenization]:
    """Return a function that writes rows, imports them and tokenises them."""

    def run(
        model: Path,
        rows: list[dict[str, Any]],
        report: Recorder | None = None,
        **settings: Any,
    ) -> Tokenization:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset = import_dataset(path)
        spec = {
            "data_dir": str(data_dir),
            "disk_reserve_bytes": 0,
            "tokenization": {
                "id": "tok_1",
                "path": str(data_dir / "tokenizations/tok_1"),
                "settings": {"context": 16, **settings},
            },
            "dataset": {
                "id": "ds_1",
                "name": "test",
                "path": str(data_dir / "datasets/ds_1"),
                "split": "train",
                "text_column": dataset["text_column"],
                "fingerprint": dataset["fingerprint"],
            },
            "model": {"id": "model_1", "name": "m", "path": str(model)},
        }
        result = tokenize.run(spec, report or Recorder())
        found = Tokenization(data_dir / "tokenizations/tok_1")
        assert result["n_samples"] == len(found) == len(found.rows) == len(found.starts)
        assert result["n_tokens"] == found.n_tokens == found.offsets[-1]
        return found

    return run


def texts(values: list[str] = TEXTS) -> list[dict[str, Any]]:
    return [{"text": value} for value in values]


def samples(found: Tokenization) -> list[list[int]]:
    return [found.sample(i).tolist() for i in range(len(found))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", [4, 16, 500])
def test_truncation_gives_what_the_tokenizer_gives(
    kind: str, context: int, make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    from transformers import AutoTokenizer

    found = make(tokenizers[kind], texts(), context=context)
    reference = AutoTokenizer.from_pretrained(tokenizers[kind])
    filled = [text for text in TEXTS if text]
    assert samples(found) == reference(filled, truncation=True, max_length=context)["input_ids"]
    assert found.rows.tolist() == [i for i, text in enumerate(TEXTS) if text]
    skipped = found.manifest["skipped"]
    assert skipped == {"empty": 1, "short": 0, "junk": 0, "bad": 0, "bad_rows": []}


def test_chunks_hold_the_whole_text_again(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    found = make(tokenizers["llama"], texts(), mode="chunk", context=7, overlap=2)
    encoder = TextEncoder.load(tokenizers["llama"])
    for row, text in enumerate(TEXTS):
        whole = encoder.encode([text])[0]
        again: list[int] = []
        for i in np.flatnonzero(found.rows == row):
            ids = found.sample(int(i)).tolist()
            assert ids[0] == 0
            start = int(found.starts[i])
            assert ids[1:] == whole[start : start + len(ids) - 1]
            again[start:] = ids[1:]
        assert again == whole


def test_packing_keeps_the_bounds_of_rows(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    found = make(tokenizers["llama"], texts(TEXTS * 3), mode="pack", context=64)
    assert found.packed
    assert len(found) < len(found.doc_rows)
    encoder = TextEncoder.load(tokenizers["llama"])
    for j, row in enumerate(found.doc_rows):
        ids = found.tokens[found.docs[j] : found.docs[j + 1]].tolist()
        whole = encoder.encode([TEXTS[row % len(TEXTS)]])[0]
        start = int(found.doc_starts[j])
        content = [token for token in ids if token > 1]
        assert content == whole[start : start + len(content)]
    assert found.row_lengths.sum() == found.n_tokens


@pytest.mark.parametrize("mode", ["truncate", "chunk", "pack"])
def test_the_size_of_batches_does_not_matter(
    mode: str,
    make: Callable[..., Tokenization],
    tokenizers: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = make(tokenizers["llama"], texts(TEXTS * 20), mode=mode).manifest["files"]
    monkeypatch.setattr(token_rows, "BATCH_CHARS", 30)
    assert make(tokenizers["llama"], texts(TEXTS * 20), mode=mode).manifest["files"] == whole


def test_the_preview_does_what_the_run_does(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    settings = {"mode": "chunk", "context": 6, "overlap": 1}
    found = make(tokenizers["bert"], texts(), **settings)
    encoder = TextEncoder.load(tokenizers["bert"])
    block = tokenize.tokenize_rows(encoder, TEXTS, TokenizationSpec(**settings))  # type: ignore[arg-type]
    assert [context.tolist() for context in block.contexts()] == samples(found)
    assert block.rows == found.rows.tolist()


def test_ids_that_are_there_already_are_used_as_they_are(
    make: Callable[..., Tokenization], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "llama", "vocab_size": 70000}')
    rows = [
        {"input_ids": [5, 6, 7, 8], "attention_mask": [1, 1, 1, 0]},
        {"input_ids": [], "attention_mask": []},
        {"input_ids": [69999], "attention_mask": [1]},
    ]
    found = make(tmp_path / "model", rows, context=2, mode="chunk")
    assert samples(found) == [[5, 6], [7], [69999]]
    assert found.tokens.dtype == np.int32
    with pytest.raises(MiStudioError, match="Row 1 has the token id 70000") as caught:
        make(tmp_path / "model", [{"input_ids": [1]}, {"input_ids": [70000]}])
    assert caught.value.code == "token_out_of_range"


TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]


def test_chats_as_plain_text_and_by_template(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizers["llama"])
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{% if not m.content %}"
        "{{ raise_exception('empty turn') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    tokenizer.save_pretrained(tmp_path / "chat")
    plain = make(tmp_path / "chat", [{"messages": TURNS}], context=99)
    assert tokenizer.decode(plain.sample(0)) == "<s>user: Hello\nassistant: Hi."
    by_template = make(tmp_path / "chat", [{"messages": TURNS}], context=99, chat_template=True)
    reference = tokenizer.apply_chat_template(TURNS, tokenize=True, return_dict=False)
    assert by_template.sample(0).tolist() == reference
    bad = [{"messages": TURNS}, {"messages": [{"role": "user", "content": ""}]}]
    with pytest.raises(MiStudioError, match=r"refuses row 1: empty turn"):
        make(tmp_path / "chat", bad, chat_template=True)
    with pytest.raises(MiStudioError) as caught:
        make(tokenizers["llama"], [{"messages": TURNS}], chat_template=True)
    assert caught.value.code == "no_chat_template"


def test_only_the_first_rows(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    found = make(tokenizers["gpt"], texts(TEXTS * 400), max_rows=1003)
    assert found.rows[-1] == 1002
    assert found.manifest["n_rows"] == 1003


@pytest.mark.parametrize("mode", ["truncate", "chunk", "pack"])
def test_only_the_first_contexts(
    mode: str, make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    """What stops early is a prefix of what does not, boundaries of documents included."""
    rows = texts(TEXTS * 300)
    whole = make(tokenizers["gpt"], rows, mode=mode)
    names = [*ARRAYS, *(["docs", "doc_rows", "doc_starts"] if mode == "pack" else [])]
    arrays = {name: np.load(whole.folder / f"{name}.npy") for name in names}
    shutil.rmtree(whole.folder)
    part = make(tokenizers["gpt"], rows, mode=mode, max_samples=700)
    assert part.manifest["n_samples"] == 700 < whole.manifest["n_samples"]
    for name, array in arrays.items():
        found = np.load(part.folder / f"{name}.npy")
        assert found.tolist() == array[: len(found)].tolist(), name
    assert len(np.load(part.folder / "tokens.npy")) == part.offsets[-1]
    if mode == "pack":
        assert np.load(part.folder / "docs.npy")[-1] == part.offsets[-1]


@pytest.mark.parametrize(
    ("rows", "settings", "code", "field"),
    [
        ([{"text": ""}, {"text": None}, {"text": ""}], {}, "empty_tokenization", "column"),
        ([{"text": "short"}], {"min_tokens": 12}, "empty_tokenization", "min_tokens"),
        ([{"text": "x"}], {"column": "body"}, "no_such_column", "column"),
        ([{"text": "x"}], {"context": 1}, "context_too_small", "context"),
    ],
)
def test_bad_settings_say_what_is_wrong_and_leave_nothing(
    rows: list[dict[str, Any]],
    settings: dict[str, Any],
    code: str,
    field: str,
    make: Callable[..., Tokenization],
    tokenizers: dict[str, Path],
    data_dir: Path,
) -> None:
    with pytest.raises(MiStudioError) as caught:
        make(tokenizers["llama"], rows, **settings)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert not (data_dir / "tokenizations/tok_1").exists()


def test_a_model_without_a_tokenizer_is_named(
    make: Callable[..., Tokenization], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(MiStudioError) as caught:
        make(tmp_path / "model", texts())
    assert caught.value.code == "no_tokenizer"


@pytest.mark.parametrize("mode", ["truncate", "chunk", "pack"])
def test_what_was_interrupted_goes_on_and_ends_with_the_same_bytes(
    mode: str,
    make: Callable[..., Tokenization],
    tokenizers: dict[str, Path],
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = texts(TEXTS * 60)
    whole = make(tokenizers["llama"], rows, mode=mode, max_junk_share=0.5).manifest
    shutil.rmtree(data_dir / "tokenizations")
    monkeypatch.setattr(token_checkpoint, "INTERVAL_S", 0.0)
    monkeypatch.setattr(token_rows, "BATCH_CHARS", 500)
    for _ in range(2):
        with pytest.raises(CancelledError):
            make(tokenizers["llama"], rows, Recorder(cancel_after=3), mode=mode, max_junk_share=0.5)
    folder = data_dir / "tokenizations/tok_1"
    with (folder / "tokens.npy").open("ab") as file:
        file.write(b"what a killed process had not told of")
    report = Recorder()
    again = make(tokenizers["llama"], rows, report, mode=mode, max_junk_share=0.5).manifest
    done = [point[0] for point in report.points]
    assert done[0] > 20  # Neither from the beginning, nor anything twice.
    assert {k: again[k] for k in ("files", "skipped", "n_rows", "n_tokens")} == {
        k: whole[k] for k in ("files", "skipped", "n_rows", "n_tokens")
    }
    assert not (folder / "progress.json").exists()


@pytest.mark.parametrize("mode", ["truncate", "chunk", "pack"])
def test_the_quick_library_gives_the_same_bytes(
    mode: str,
    make: Callable[..., Tokenization],
    tokenizers: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = texts([*TEXTS, "many words " * 40, "\x00\ufffd", "漢字 🙂"] * 5)
    quick = make(tokenizers["gpt"], rows, mode=mode, overlap=3, max_junk_share=0.5).manifest
    assert quick["tokenizer"]["encoder"].startswith("gigatoken ")
    monkeypatch.setattr(quick_encoder, "RENEWED_CHARS", 100)
    renewed = make(tokenizers["gpt"], rows, mode=mode, overlap=3, max_junk_share=0.5).manifest
    assert renewed["files"] == quick["files"]
    monkeypatch.setattr(QuickEncoder, "open", lambda *_: None)
    plain = make(tokenizers["gpt"], rows, mode=mode, overlap=3, max_junk_share=0.5).manifest
    assert plain["tokenizer"]["encoder"] == "tokenizers"
    assert quick["files"] == plain["files"]
    assert quick["skipped"] == plain["skipped"]


def test_a_library_that_gives_other_ids_is_not_used(tokenizers: dict[str, Path]) -> None:
    encoder = TextEncoder.load(tokenizers["gpt"])
    wrong = [[1, 2, 3]] * 99
    assert QuickEncoder.open(encoder._backend, lambda asked: wrong[: len(asked)], ["x"]) is None
    # The bundled tokenizer cuts digits in a way that gigatoken does not know.
    bundled = TextEncoder.load(sample.MODEL_DIR)
    bundled.quicken(["some words"])
    assert bundled.quick is None


def test_other_settings_begin_anew(
    make: Callable[..., Tokenization],
    tokenizers: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_checkpoint, "INTERVAL_S", 0.0)
    monkeypatch.setattr(token_rows, "BATCH_CHARS", 100)
    with pytest.raises(CancelledError):
        make(tokenizers["llama"], texts(TEXTS * 9), Recorder(cancel_after=2))
    found = make(tokenizers["llama"], texts(TEXTS * 9), context=5)
    assert found.rows[0] == 0
    assert found.lengths.max() == 5


def test_junk_is_removed_or_its_rows_left_out(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    rows = texts(["fine", "a\x00b\ufffd\x07", "\x01\x02\x03x", "tab\tand\nline"])
    encoder = TextEncoder.load(tokenizers["gpt"])
    removed = make(tokenizers["gpt"], rows, junk="remove", special_tokens=False)
    clean = ["fine", "ab", "x", "tab\tand\nline"]
    assert samples(removed) == encoder.encode(clean)
    filtered = make(tokenizers["gpt"], rows, max_junk_share=0.7)
    assert filtered.rows.tolist() == [0, 1, 3]
    assert filtered.manifest["skipped"]["junk"] == 1


def test_bad_rows_are_skipped_counted_and_named(
    make: Callable[..., Tokenization], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "llama", "vocab_size": 9}')
    rows = [{"input_ids": [1, 2]}, {"input_ids": [9]}, {"input_ids": [3]}]
    report = Recorder()
    found = make(tmp_path / "model", rows, report, bad_rows="skip")
    assert found.rows.tolist() == [0, 2]
    skipped = found.manifest["skipped"]
    assert skipped["bad"] == 1
    assert skipped["bad_rows"][0]["row"] == 1
    assert "token id 9" in skipped["bad_rows"][0]["message"]
    assert report.warnings == ["bad_rows"]
    with pytest.raises(MiStudioError, match="Row 1"):
        make(tmp_path / "model", rows)


def test_the_manifest_names_the_sizes_and_checksums_of_the_files(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    from mistudio_ext.workers.disk import checksum

    found = make(tokenizers["llama"], texts())
    assert found.tokens.dtype == np.uint16
    files = found.manifest["files"]
    assert set(files) == {"tokens.npy", "offsets.npy", "rows.npy", "starts.npy"}
    for name, facts in files.items():
        assert facts["checksum"] == checksum(found.folder / name)
        assert facts["bytes"] == (found.folder / name).stat().st_size
    assert found.counts()[0] == len(found)
    assert found.counts().sum() == found.n_tokens
