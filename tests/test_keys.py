"""Every field of a request is in the key of its result, or is named as one that is not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from mistudio_ext import keys
from mistudio_ext.services import dataset_requests, model_requests
from mistudio_ext.services.requests import ExtractionRequest
from mistudio_ext.spec import ExtractionSpec, TokenizationSpec, fingerprint

#: Another value than the default for each field: a new field needs one, and a decision.
OTHER: dict[type, dict[str, Any]] = {
    ExtractionSpec: {
        "hooks": ("blocks.0.hook_mlp_out",),
        "layout": "padded",
        "positions": "mean",
        "dtype": "float32",
        "max_samples": 3,
        "batch_tokens": 7,
        "device": "cpu",
    },
    TokenizationSpec: {
        "column": "body",
        "context": 9,
        "mode": "chunk",
        "overlap": 1,
        "special_tokens": False,
        "bos": "none",
        "chat_template": True,
        "min_tokens": 2,
        "max_rows": 5,
        "max_samples": 4,
        "junk": "remove",
        "max_junk_share": 0.5,
        "bad_rows": "skip",
    },
    ExtractionRequest: {
        "model": "another",
        "dataset": "another",
        "split": "test",
        "layers": (1,),
        "hooks": ("mlp_out",),
        "spec": ExtractionSpec(dtype="float32"),
        "tokenization": TokenizationSpec(context=9),
        "format": "q8",
        "name": "another",
        "fallback": ("bf16",),
    },
}

PLAIN = ExtractionRequest(
    model="m",
    dataset="d",
    split=None,
    layers=None,
    hooks=("resid_post",),
    spec=ExtractionSpec(),
    tokenization=TokenizationSpec(),
    format=None,
    name=None,
)


def key(request: ExtractionRequest) -> str:
    """Return the key of a request."""
    return fingerprint(request.identity("model_1", "ds_1", request.spec.device_kind))


def cases() -> list[tuple[type, str]]:
    """Return every field of every typed request."""
    return [(kind, field.name) for kind in OTHER for field in fields(kind)]


@pytest.mark.parametrize(("kind", "name"), cases())
def test_a_changed_field_is_another_result(kind: type, name: str) -> None:
    """Or it is listed, with the reason; the whole request sees its parts' fields too."""
    plain = {ExtractionSpec: PLAIN.spec, TokenizationSpec: PLAIN.tokenization}.get(kind, PLAIN)
    changed = replace(plain, **{name: OTHER[kind][name]})
    assert getattr(changed, name) != getattr(plain, name)
    listed = keys.NOT_COUNTED[kind.__name__].get(name)
    differs = fingerprint(keys.facts_of(changed)) != fingerprint(keys.facts_of(plain))
    assert differs is (listed is None)
    if kind is not ExtractionRequest:
        part = "spec" if kind is ExtractionSpec else "tokenization"
        # A device counts by its kind in the key of the whole.
        whole = replace(PLAIN, **{part: changed})
        assert (key(whole) != key(PLAIN)) is (listed is None or name == "device")


def test_what_does_not_count_exists_and_has_a_reason() -> None:
    """No name is left over from a field that is gone."""
    for kind in OTHER:
        names = {field.name for field in fields(kind)}
        assert set(keys.NOT_COUNTED[kind.__name__]) <= names
        assert names == set(OTHER[kind])
    for kind, known in (("models", model_requests), ("datasets", dataset_requests)):
        assert set(keys.NOT_COUNTED[kind]) <= set(known._FIELDS)
    assert all(why for reasons in keys.NOT_COUNTED.values() for why in reasons.values())


def test_the_same_words_in_another_order_are_the_same() -> None:
    """Hooks by their short or old names, in any order."""
    one = replace(PLAIN, hooks=("resid_post", "mlp_out"))
    two = replace(PLAIN, hooks=("mlp", "residual"))
    assert key(one) == key(two) != key(PLAIN)


@pytest.mark.parametrize("name", keys.counted("models", model_requests._FIELDS))
def test_a_model_of_another_choice_is_another_record(name: str) -> None:
    """What a request for a model says, less its name, its token and where it is counted."""
    request = {"source": "hub", "repo_id": "a/b", "format": "fp32"}
    other = {"source": "path", "trust_remote_code": True}.get(name, "another")
    changed = {**request, "path": "/x", name: other}
    same = {**request, "path": "/x"}
    assert model_requests.identity(changed) != model_requests.identity(same)
    assert model_requests.identity({**same, "repo_id": "a/c"}) != model_requests.identity(same)


@pytest.mark.parametrize("name", keys.counted("datasets", dataset_requests._FIELDS))
def test_a_dataset_of_another_choice_is_another_record(name: str) -> None:
    """What a request for a dataset says, less its name, its token and where it is counted."""
    request = {"source": "hub", "repo_id": "a/b"}
    changed = {**request, name: "another"}
    assert dataset_requests.identity(changed) != dataset_requests.identity(request)
    other = {**request, "repo_id": "a/c"}
    assert dataset_requests.identity(other) != dataset_requests.identity(request)
