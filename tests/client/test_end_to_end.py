"""A real Jupyter server, real workers, the bundled sample: what a notebook cell does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import mistudio_ext as ms
from mistudio_ext import sample
from mistudio_ext.activations.verify import verify
from mistudio_ext.cli import demo
from mistudio_ext.client.rest import RestClient
from mistudio_ext.client.server import ServerAddress
from mistudio_ext.errors import ConflictError, InvalidInputError, NotFoundError, ServerError
from tests.client.stories import away_again, from_file_to_tokens
from tests.servers import JupyterProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process = JupyterProcess(tmp_path_factory.mktemp("server"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(autouse=True)
def _kernel(server, monkeypatch):
    """What the extension puts into a kernel's environment."""
    monkeypatch.setenv("MISTUDIO_SERVER_URL", server.url)
    monkeypatch.setenv("MISTUDIO_SERVER_TOKEN", server.token)


#: The extraction that two tests need: what is there is found again.
RUN1 = {
    "model": "sample-model",
    "dataset": "sample-stories",
    "split": "validation",
    "layers": [1, 2],
    "max_samples": 24,
    "dtype": "bfloat16",
    "name": "run1",
}


def test_story(server):
    arguments = RUN1
    others = {found.id for found in ms.list() if found.name != "run1"}
    acts = ms.extract(**arguments)
    assert acts.name == "run1"
    assert acts.path.is_relative_to(server.data_dir)
    acts.wait(timeout=240)

    hook = "blocks.2.hook_resid_post"
    assert acts.hooks == ("blocks.1.hook_resid_post", hook)
    assert acts.state == "done"
    assert acts.ready == acts.total == len(acts.tokens) == acts.offsets[-1]
    assert acts[hook].shape == (acts.total, acts.torch(hook).shape[1])
    assert acts[hook].dtype.name == "bfloat16"
    assert np.isfinite(np.asarray(acts[hook], dtype=np.float32)).all()
    assert all(check["ok"] for check in verify(acts.path))

    sample = acts.sample(5)
    assert sample[hook].shape == (len(sample.tokens), acts[hook].shape[1])
    row = server.api(
        f"datasets/{acts.spec['dataset_id']}/samples?split=validation&offset=5&limit=1"
    )
    if len(sample.tokens) < acts.spec["context"] and sample.row == 5:
        assert sample.text == row["samples"][0]["text"]
    located = acts.locate(int(acts.offsets[5]) + 2)
    assert (located.sample, located.position, located.row) == (5, 2, sample.row)
    assert sum(len(batch) for batch in acts.batches(hook, 100)) == acts.total

    # The same spec again is what there is; by name, id and folder it is the same too.
    assert ms.extract(**arguments).path == acts.path
    for name in ("run1", acts.id, acts.path):
        assert ms.open(name).id == acts.id
    assert {found.id for found in ms.list()} - others == {acts.id}
    with pytest.raises(ConflictError) as caught:
        ms.extract(**{**arguments, "layers": [0]})
    assert caught.value.field == "name"
    with pytest.raises(InvalidInputError) as caught:
        ms.extract(**{**arguments, "layers": [99], "name": "other"})
    assert caught.value.field == "layers"


def test_the_demo_beside_an_extraction_of_that_name(server, capsys):
    ms.extract(**RUN1)
    client = RestClient(ServerAddress(server.url, server.token))
    body = {"model": "sample-model", "dataset": "sample-stories", "split": "validation"}
    body |= {"hooks": ["resid_post"], "layers": [0], "max_samples": 3, "name": "run1"}
    started = demo._start(client, body)["extraction"]
    assert started["name"] != "run1"
    assert "another extraction 'run1'" in capsys.readouterr().out
    assert len(ms.open(started["name"]).wait(timeout=240).hooks) == 1
    with pytest.raises(InvalidInputError) as caught:
        demo._start(client, {**body, "hooks": ["nothing"]})
    assert caught.value.code != "name_taken"


def test_datasets(tmp_path):
    rows = from_file_to_tokens(tmp_path, sample.MODEL_DIR)
    with pytest.raises(InvalidInputError) as caught:
        rows.search("(")
    assert caught.value.code == "bad_query"
    assert rows.near_duplicates(timeout=120)["splits"][0]["duplicates"] == 0
    away_again(rows)


def test_models(server):
    """Estimated, converted, compared and deleted in a cell, as over REST."""
    ms.models.add("sample-model")
    estimate = ms.models.estimate("sample-model", batch_tokens=512, n_hooks=2)
    assert estimate.answer["batch_tokens"] == 512
    assert "recommended" in repr(estimate)
    made = ms.models.make_variant("sample-model", "bf16", fallback=["q8"])
    assert (made["state"], made["format"]) == ("ready", "bf16")
    assert 0 < made["measured"]["relative_error"] < 0.05
    assert ms.models.make_variant(made["name"], "bf16")["id"] == made["id"]
    assert [row["format"] for row in ms.models.variants("sample-model")] == ["fp32", "bf16"]
    compared = ms.models.compare("sample-model", made["id"])
    assert {row["key"] for row in compared if not row["same"]} == {"format", "size_bytes"}
    assert "<th" in compared._repr_html_()
    with pytest.raises(ConflictError) as caught:
        ms.models.delete("sample-model")
    assert caught.value.code == "has_variants"
    assert ms.models.delete(made["name"])["deleted"] == [made["id"]]
    assert [row["name"] for row in ms.models.list(format="fp32")] == ["sample-model"]
    assert not ms.models.list(q="nothing")
    with pytest.raises(NotFoundError, match="no model 'nothing'"):
        ms.models.variants("nothing")


def test_errors_over_rest():
    with pytest.raises(InvalidInputError) as caught:
        ms.extract("sample-model", "sample-stories", dtype="int3")
    assert (caught.value.field, caught.value.code) == ("dtype", "bad_dtype")
    with pytest.raises(NotFoundError):
        ms.open("nothing")


def test_cancel_ends_in_an_error_that_says_so():
    acts = ms.extract("sample-model", "sample-stories", layers=[0], positions="mean", name="stop")
    acts.cancel()
    with pytest.raises(ms.errors.ExtractionError) as caught:
        acts.wait(timeout=60)
    assert caught.value.code == "cancelled"


def test_wrong_token(monkeypatch):
    monkeypatch.setenv("MISTUDIO_SERVER_TOKEN", "wrong")
    with pytest.raises(ServerError) as caught:
        ms.extract("sample-model", "sample-stories")
    assert caught.value.code == "not_authorized"
    assert ms.list() == []  # from the kernel's own data folder


def test_works_inside_a_running_event_loop():
    async def cell():
        return ms.list()

    assert isinstance(asyncio.run(cell()), list)
