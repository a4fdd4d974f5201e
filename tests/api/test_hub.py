"""Search and description of repositories, over a loopback Hub."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mistudio_ext.errors import HubError, MiStudioError
from mistudio_ext.services.hub_cards import configurations
from mistudio_ext.services.hub_formats import formats
from mistudio_ext.studio import Studio
from tests.hubsim import HubSim, hub, hub_root
from tests.services.conftest import new_studio

__all__ = ["hub", "hub_root", "new_studio"]


def test_search(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """Words of the name find datasets and models."""
    service = new_studio(hub_endpoint=hub.url).hub
    found = service.search("datasets", "gated")["results"]
    assert [(r["repo_id"], r["gated"]) for r in found] == [("demo/gated", "manual")]
    assert "demo/stories" in {r["repo_id"] for r in service.search("models", "stories")["results"]}


def test_dataset(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """Configurations come from the card, splits without one from the file names."""
    service = new_studio(hub_endpoint=hub.url).hub
    multi = service.dataset("demo/multi")
    assert multi["license"] == "mit"
    assert {c["name"]: {s["name"] for s in c["splits"]} for c in multi["configs"]} == {
        "en": {"train", "test"},
        "fr": {"train"},
    }
    assert multi["total_bytes"] > 0
    plain = service.dataset("demo/plain")["configs"]
    assert {s["name"] for s in plain[0]["splits"]} == {"train", "validation"}


def test_model(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """Parameters are the real ones and smaller formats take less memory."""
    found = new_studio(hub_endpoint=hub.url).hub.model("demo/stories")
    rows = {r["format"]: r["memory_bytes"]["cpu"] for r in found["formats"]}
    assert rows["fp32"] == pytest.approx(4 * found["n_params"], rel=0.01)
    assert rows["fp32"] > rows["bf16"] > 0
    assert rows["q8"] > rows["q4"] > rows["q2"]
    assert found["recommendation"] is not None
    assert found["download_bytes"] > 0


def test_gated(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """A gated repository is described; whether its files may be read depends on the token."""
    service = new_studio(hub_endpoint=hub.url).hub
    assert service.dataset("demo/gated")["accessible"] is False
    assert service.dataset("demo/gated", "hf_alice")["accessible"] is True
    assert service.model("demo/gated-stories")["accessible"] is False
    assert service.model("demo/gated-stories", "hf_alice")["config"]["model_type"]


@pytest.mark.parametrize(
    ("name", "code"), [("demo/nothing", "repo_not_found"), ("nothing", "repo_not_found")]
)
def test_unknown(new_studio: Callable[..., Studio], hub: HubSim, name: str, code: str) -> None:
    """What is not there says so."""
    with pytest.raises(MiStudioError) as caught:
        new_studio(hub_endpoint=hub.url).hub.model(name)
    assert caught.value.code == code


def test_no_network(new_studio: Callable[..., Studio]) -> None:
    """Without a Hub the error says what to check."""
    with pytest.raises(HubError) as caught:
        new_studio(hub_endpoint="http://127.0.0.1:9").hub.search("models", "a")
    assert caught.value.code == "hub_unavailable"
    assert caught.value.hint


def test_facts_of_card_and_viewer() -> None:
    """Rows, sizes and columns are taken from wherever they are said."""
    info = {
        "features": [{"name": "text", "dtype": "string"}],
        "splits": [{"name": "train", "num_examples": 3, "num_bytes": 9}],
    }
    viewer = {
        "b": {
            "features": {"t": {"dtype": "string", "_type": "Value"}},
            "splits": {"test": {"num_examples": 4}},
        }
    }
    rows = configurations({"dataset_info": info}, viewer, [])
    assert rows[0]["columns"] == [{"name": "text", "dtype": "string"}]
    assert rows[0]["splits"][0]["n_rows"] == 3
    assert rows[1]["splits"][0]["n_rows"] == 4


def test_what_does_not_fit() -> None:
    """A model too large for the machine is warned about."""
    device = {"id": "cpu", "kind": "cpu", "memory_total": 10**9, "memory_used": 0}
    found = formats({"BF16": 7 * 10**9}, {}, 14 * 10**9, [device])
    assert found["recommendation"] is None
    assert "GB" in found["warning"]
    assert formats({}, {}, 0, [device])["warning"]


def test_sizes_come_from_the_config(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """A repository is sized as its loaded tensors would be, at the batch that was asked for."""
    service = new_studio(hub_endpoint=hub.url).hub
    small, large = (service.model("demo/stories", batch_tokens=n) for n in (1024, 65536))
    assert small["method"] == "config"
    rows = {row["format"]: row for row in small["formats"]}
    assert rows["q4"]["memory_bytes"]["cpu"] < rows["q8"]["memory_bytes"]["cpu"]
    for row, more in zip(small["formats"], large["formats"], strict=True):
        assert row["memory_bytes"] == more["memory_bytes"]
        assert row["memory_bytes"]["cpu"] < row["extraction_bytes"]["cpu"]
        assert row["extraction_bytes"]["cpu"] < more["extraction_bytes"]["cpu"]
    assert small["unsafe"] is None
    assert small["devices"][0]["free_bytes"] > 0
    with pytest.raises(MiStudioError) as caught:
        service.model("demo/stories", batch_tokens=0)
    assert caught.value.field == "batch_tokens"
