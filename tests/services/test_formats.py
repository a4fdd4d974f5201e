"""Formats that cannot be: said in estimates, and refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import fallback, footprint, hub_formats, model_requests, requests

CPU = [{"id": "cpu", "name": "CPU", "kind": "cpu", "memory_total": 1 << 34, "memory_used": 0}]
GPU = [{"id": "cuda:0", "name": "G", "kind": "gpu", "memory_total": 1 << 34, "memory_used": 0}]


def rows(sizes: Any = None, devices: Any = CPU) -> dict[str, Any]:
    config = {"hidden_size": 64, "vocab_size": 100}
    told = hub_formats.formats({"F32": 10**6}, config, 0, devices, sizes)
    return {row["format"]: row for row in told["formats"]}


@pytest.fixture
def no_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "find_spec", lambda _: None)


def test_each_format_says_what_it_computes_in() -> None:
    said = {name: row["computes_in"]["cpu"] for name, row in rows().items()}
    assert said == {
        "fp32": "float32", "bf16": "bfloat16", "fp16": "float32", "q8": "float32",
        "q4": "float32", "q2": "float32",
    }  # fmt: skip
    said = {name: row["computes_in"]["gpu"] for name, row in rows(devices=GPU).items()}
    assert said == {
        "fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "q8": "bfloat16",
        "q4": "bfloat16", "q2": "bfloat16",
    }  # fmt: skip
    assert all(row["unavailable"] is None for row in rows().values())


@pytest.mark.usefixtures("no_bitsandbytes")
def test_without_its_library_a_format_is_refused() -> None:
    told = rows()
    assert [name for name, row in told.items() if row["unavailable"]] == ["q8", "q4"]
    assert not any(row["fits"]["cpu"] for row in told.values() if row["unavailable"])
    body = {"model": "m", "dataset": "d", "quantize": "q4"}
    for refused, field in (
        (lambda: model_requests.read_format({"format": "q8"}), "format"),
        (lambda: requests.read(body), "quantize"),
        (lambda: fallback.read({"fallback": ["bf16", "q4"]}, "fp32"), "fallback"),
    ):
        with pytest.raises(InvalidInputError, match="bitsandbytes is not installed") as caught:
            refused()
        assert (caught.value.code, caught.value.field) == ("format_unavailable", field)
    assert fallback.read({"fallback": True}, "fp32") == ("bf16", "q2")


def test_a_model_without_linear_layers_stays_as_it_is() -> None:
    names = ("fp32", "bf16", "fp16", "q8", "q4", "q2")
    memory = {name: {"cpu": 1, "gpu": 1} for name in names}
    sizes = {"memory": memory, "activations": None, "quantizable": {"weights": 0, "largest": 0}}
    told = rows(sizes)
    assert [name for name, row in told.items() if row["unavailable"]] == ["q8", "q4", "q2"]
    with pytest.raises(InvalidInputError, match="no linear layers"):
        footprint.require("q2", sizes)
    footprint.require("bf16", sizes)
