"""What cannot be done is refused with a code, a field and a hint, before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine.inspect import inspect_model
from mistudio_ext.engine.load import choose_device, load_model
from mistudio_ext.engine.run import extract
from mistudio_ext.errors import InvalidInputError

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

HOOK = "blocks.0.hook_resid_post"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("gpt2", "gpt_neox", "llama"):
        tiny_model(family).save_pretrained(folder / family)
    return folder


def refused(spec: dict[str, Any]) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        extract(spec, Recorder())
    return caught.value


@pytest.mark.parametrize(
    ("family", "hook", "reason"),
    [
        ("gpt_neox", "blocks.1.hook_resid_mid", "parallel"),
        ("llama", "blocks.7.hook_resid_post", "layers 0 to 2"),
        ("llama", "module:model.layers.0.nothing", "does not exist"),
        ("llama", "module:lm_head", "not run"),
        ("llama", "module:model.rotary_emb", "one row per token"),
    ],
)
def test_a_hook_that_the_model_lacks(
    family: str, hook: str, reason: str, models: Path, tmp_path: Path
) -> None:
    tokenization = make_tokenization(tmp_path / "tok", [8, 8], VOCAB)
    error = refused(make_spec(tmp_path / "out", models / family, tokenization, [HOOK, hook]))
    assert (error.code, error.field) == ("no_such_hook", "hooks")
    assert reason in error.message
    assert error.hint
    assert not (tmp_path / "out").exists()


def test_a_refusal_is_put_into_the_manifest_that_the_server_made(
    models: Path, tmp_path: Path
) -> None:
    manifests.write(tmp_path / "out", {"state": "queued", "id": "ext_1", "fingerprint": "f" * 16})
    tokenization = make_tokenization(tmp_path / "tok", [8], VOCAB)
    refused(make_spec(tmp_path / "out", models / "llama", tokenization, ["blocks.9.attn.hook_z"]))
    found = manifests.read(tmp_path / "out")
    assert (found["state"], found["error"]["code"]) == ("failed", "no_such_hook")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_tokens_and_contexts_that_do_not_belong_to_the_model(models: Path, tmp_path: Path) -> None:
    tokenization = make_tokenization(tmp_path / "a", [8], VOCAB + 500)
    error = refused(make_spec(tmp_path / "out", models / "llama", tokenization, [HOOK]))
    assert error.code == "token_out_of_range"
    tokenization = make_tokenization(tmp_path / "b", [80], VOCAB)
    error = refused(make_spec(tmp_path / "out", models / "gpt2", tokenization, [HOOK]))
    assert (error.code, error.field) == ("context_too_long", "context")
    report = Recorder()
    extract(make_spec(tmp_path / "out", models / "llama", tokenization, [HOOK]), report)
    assert report.warnings == ["beyond_trained_context"]  # Rotary positions have no end.


def test_nothing_to_extract(models: Path, tmp_path: Path) -> None:
    tokenization = make_tokenization(tmp_path / "tok", [0, 0], VOCAB)
    error = refused(make_spec(tmp_path / "out", models / "llama", tokenization, [HOOK]))
    assert error.code == "empty_tokenization"
    tokenization = make_tokenization(tmp_path / "tok2", [3], VOCAB)
    error = refused(make_spec(tmp_path / "out", models / "llama", tokenization, []))
    assert (error.code, error.field) == ("no_hooks", "hooks")


def test_a_folder_that_is_no_model(models: Path, tmp_path: Path) -> None:
    def code(path: Path) -> str:
        with pytest.raises(InvalidInputError) as caught:
            inspect_model(path, "fp32", False)
        assert caught.value.field == "path"
        return caught.value.code

    assert code(tmp_path) == "not_a_model"
    config = json.loads((models / "llama/config.json").read_text())
    for name, body, expected in (
        ("broken", "{", "not_a_model"),
        ("unknown", json.dumps({"model_type": "no-such-type"}), "not_a_model"),
        ("empty", json.dumps(config), "not_a_model"),
        ("remote", json.dumps({"model_type": "x", "auto_map": {"AutoConfig": "a.B"}}),
         "remote_code"),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(body)
        assert code(tmp_path / name) == expected, name
    (tmp_path / "empty" / "pytorch_model.bin").write_bytes(b"")
    assert code(tmp_path / "empty") == "unsafe_weights"


def test_weights_that_are_partly_missing_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tiny_model("llama").save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInputError) as caught:
        load_model(tmp_path)
    assert caught.value.code == "incomplete_weights"
    assert "up_proj" in caught.value.message


def test_devices_and_formats(models: Path) -> None:
    assert choose_device("cpu") == torch.device("cpu")
    for name in ("cuda:99", "tpu", "meta"):
        with pytest.raises(InvalidInputError) as caught:
            choose_device(name)
        assert (caught.value.code, caught.value.field) == ("no_such_device", "device")
    with pytest.raises(InvalidInputError) as caught:
        load_model(models / "llama", "q3")
    assert (caught.value.code, caught.value.field) == ("unsupported_format", "format")


@pytest.mark.parametrize("format", ["fp32", "bf16", "fp16", "q8", "q4"])
def test_every_format_is_extracted_from(format: str, models: Path, tmp_path: Path) -> None:
    tokenization = make_tokenization(tmp_path / "tok", [12, 30, 5], VOCAB)
    hooks = ["blocks.1.hook_resid_post", "blocks.1.hook_mlp_out"]
    report = Recorder()
    extract(make_spec(tmp_path / "a", models / "llama", tokenization, hooks), Recorder())
    spec = make_spec(tmp_path / "b", models / "llama", tokenization, hooks, format=format)
    extract(spec, report)
    tolerance = {"fp32": 0.0, "fp16": 2e-3, "bf16": 2e-2, "q8": 0.2, "q4": 0.9}[format]
    for hook in hooks:
        full, other = (np.load(tmp_path / x / f"{hook}.npy") for x in "ab")
        error = np.linalg.norm(full - other) / np.linalg.norm(full)
        assert (error > 0) == (format != "fp32")
        assert error <= tolerance
    assert report.warnings == (["fp16_on_cpu"] if format == "fp16" else [])
    assert manifests.read(tmp_path / "b")["spec"]["quantization"] == format
