"""What is asked about models, without a server, and how the answers show themselves."""

from __future__ import annotations

import pytest

from mistudio_ext.client import model_tables
from mistudio_ext.client.model_calls import StudioModels
from mistudio_ext.client.models import Models
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.hubsim import hub, hub_root

__all__ = ["hub", "hub_root"]


@pytest.fixture
def models(tmp_path, hub):
    studio = Studio.open(from_config_files(data_dir=tmp_path / "data", hub_endpoint=hub.url))
    calls = StudioModels(studio)
    yield Models(lambda: calls)
    studio.close()


def test_the_hub_is_searched_and_asked_before_a_download(models):
    found = models.search("demo/stor")
    assert [row["repo_id"] for row in found] == ["demo/stories"]
    assert "demo/stories" in repr(found)
    assert repr(models.search("no such words")) == "The Hub has no model with these words."
    one = models.estimate("demo/stories", batch_tokens=256)
    many = models.estimate("demo/stories", batch_tokens=256, n_hooks=9)
    assert one.answer["method"] == "config"
    assert one[0]["extraction_bytes"]["cpu"] < many[0]["extraction_bytes"]["cpu"]
    assert "Licence bsd-3-clause, open." in repr(many)
    assert repr(models).startswith("No models yet.")
    with pytest.raises(InvalidInputError) as caught:
        models.add("demo/stories", format="q3")
    assert caught.value.field == "format"


def test_a_variant_that_fell_back_says_so():
    row = {"id": "m", "name": "m (q4)", "format": "q4", "state": "ready"}
    row |= {"requested_format": "q8", "fallback_reason": "q8 did not fit.", "measured": None}
    shown = model_tables.variants([row])
    assert "q4 instead of q8" in repr(shown)
    assert "m (q4): q8 did not fit." in repr(shown)
    assert "q4 instead of q8" in shown._repr_html_()
