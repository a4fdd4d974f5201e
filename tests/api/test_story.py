"""The main job over REST: from the sample to arrays on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.api.conftest import API, Api
from tests.api.test_spec import answer_schema, schema

BODY = {
    "layers": "1,3",
    "hooks": ["resid_post", "mlp_out"],
    "max_samples": 40,
    "dtype": "float32",
    "name": "run1",
}


async def test_story(api: Api, jp_ws_fetch: Any) -> None:
    """Register, browse, look inside, estimate, extract, read, delete."""
    import json

    socket = await jp_ws_fetch(*API.split("/"), "events")
    hello = json.loads(await socket.read_message())
    assert hello["type"] == "hello"

    dataset, model = await api.sample()
    assert {s["name"] for s in dataset["splits"]} == {"train", "validation"}
    assert dataset["state"] == "ready"
    assert dataset["text_column"] == "text"
    page = await api("GET", f"datasets/{dataset['id']}/samples", split="train", limit=3, offset=2)
    assert [s["index"] for s in page["samples"]] == [2, 3, 4]
    assert page["total"] == 5400
    assert all(s["text"] for s in page["samples"])

    found = await api("GET", f"datasets/{dataset['id']}/samples", q='"clock tower" AND NOT market')
    assert 0 < found["total"] < 5400
    first = found["samples"][0]
    start, end = first["highlights"][0]
    assert first["text"][start:end].lower() in ("clock tower", "clock", "tower")
    statistics = await api("GET", f"datasets/{dataset['id']}/statistics")
    assert statistics["n_samples"] == 6000
    preview = await api(
        "POST", "tokenize-preview", {"model": model["id"], "texts": ["A clock."], "context": 8}
    )
    assert preview["contexts"][0]["tokens"][0]["special"]
    assert "".join(t["text"] for t in preview["contexts"][0]["tokens"][1:]) == "A clock."
    detected = await api("POST", "datasets/detect", {"path": dataset["source_path"]}, expect=400)
    assert detected["field"] == "path"

    architecture = await api("GET", f"models/{model['id']}/architecture")
    assert architecture["n_layers"] == model["n_layers"] == 6
    assert "blocks.1.hook_resid_post" in {h["name"] for h in architecture["hooks"]}

    body = {**BODY, "model": model["id"], "dataset": dataset["id"]}
    estimate = await api("POST", "extractions/estimate", body)
    assert estimate["n_samples"] == 40
    assert estimate["bytes"] > 0
    assert not estimate["exact"]

    started = await api("POST", "extractions", body, expect=202)
    extraction = started["extraction"]
    assert started["job"]["target"] == {
        "type": "extraction",
        "id": extraction["id"],
        "name": "run1",
    }
    again = await api("POST", "extractions", body, expect=200)
    assert again["extraction"]["id"] == extraction["id"]
    job = await api.job(started["job"])
    assert job["progress"] == 1.0
    assert job["unit"] == "tokens"

    done = await api("GET", f"extractions/{extraction['id']}")
    assert done["state"] == "done"
    assert done["ready"] == done["total"] == done["n_tokens"]
    folder = Path(done["path"])
    array = np.load(folder / "blocks.3.hook_resid_post.npy", mmap_mode="r")
    assert array.shape == (done["n_tokens"], 192)
    assert float(np.abs(array).max()) > 0
    manifest = await api("GET", f"extractions/{extraction['id']}/manifest")
    assert manifest["state"] == "done"
    assert manifest["files"]["blocks.3.hook_resid_post.npy"]["checksum"].startswith("xxh3_128:")

    await look_into(api, extraction["id"], array, folder)

    exact = await api("POST", "extractions/estimate", body)
    assert exact["exact"]
    assert exact["measured"]
    assert exact["n_tokens"] == done["n_tokens"]
    arrays = sum(f["bytes"] for n, f in manifest["files"].items() if n.startswith("blocks"))
    assert abs(exact["bytes"] - arrays) < 0.05 * arrays

    topics = set[str]()
    while f"extractions/{extraction['id']}" not in topics or not topics & {f"jobs/{job['id']}"}:
        message = json.loads(await socket.read_message())
        topics.add(message["topic"])
    socket.close()

    renamed = await api("PATCH", f"extractions/{extraction['id']}", {"name": "better"})
    assert renamed["name"] == "better"
    gone = await api("DELETE", f"extractions/{extraction['id']}")
    assert gone["deleted"] == [extraction["id"]]
    assert gone["freed_bytes"] > arrays
    assert not folder.exists()
    await api("DELETE", f"models/{model['id']}")
    freed = await api("POST", "datasets/delete", {"ids": [dataset["id"], "ds_unknown"]})
    assert dataset["id"] in freed["deleted"]
    assert freed["failed"][0]["code"] == "no_such_dataset"
    assert (await api("GET", "datasets"))["datasets"] == []


async def look_into(api: Api, extraction: str, array: Any, folder: Path) -> None:
    """Tokens, top samples and projection, as the arrays have them."""
    route, hook = f"extractions/{extraction}", "blocks.3.hook_resid_post"
    offsets = np.load(folder / "offsets.npy")
    sample = await api("GET", f"{route}/tokens", hook=hook, sample=2, dimension=7, position=4)
    jsonschema.validate(sample, answer_schema("/extractions/{id}/tokens", "get", "200"))
    start, end = offsets[2], offsets[3]
    np.testing.assert_allclose(sample["values"], array[start:end, 7], rtol=1e-5)
    assert len(sample["texts"]) == len(sample["ids"]) == end - start
    dimension, value, _ = sample["stands_out"][0]
    assert value == pytest.approx(float(array[start + 4, int(dimension)]))
    rows = await api(
        "GET", f"datasets/{(await api('GET', route))['dataset_id']}/samples", offset=sample["row"]
    )
    assert "".join(sample["texts"][1:8]) in rows["samples"][0]["text"]

    lines = await api.lines(f"{route}/top", hook=hook, dimension=7, count=3)
    for line in lines:
        jsonschema.validate(line, schema("Ranking"))
    best = lines[-1]["top"]
    assert lines[-1]["read"] == lines[-1]["total"] == len(offsets) - 1
    assert best[0]["value"] == pytest.approx(float(array[:, 7].max()))
    place = offsets[best[0]["sample"]] + best[0]["position"]
    assert place == int(array[:, 7].argmax())

    plane = await api("GET", f"{route}/projection", hook=hook, count=100)
    jsonschema.validate(plane, answer_schema("/extractions/{id}/projection", "get", "200"))
    assert len(plane["x"]) == len(plane["texts"]) == 100
    wrong = await api("GET", f"{route}/top", hook=hook, dimension=192, expect=404)
    assert wrong["field"] == "dimension"


async def test_everything_from_one_request(api: Api) -> None:
    """A single POST registers sample dataset and model, tokenises and extracts."""
    body = {"model": "sample-model", "dataset": "sample-stories", "max_samples": 5, "layers": [0]}
    started = await api("POST", "extractions", body, expect=202)
    manifest = await api("GET", f"extractions/{started['extraction']['id']}/manifest")
    assert manifest["state"] == "queued"
    assert manifest["n_tokens"] is None
    await api.job(started["job"])
    # Asked for while nothing was there, and asked for again now: the same extraction.
    again = await api("POST", "extractions", body, expect=200)
    assert again["extraction"]["id"] == started["extraction"]["id"]
    other = {**body, "layers": [-6]}
    same = await api("POST", "extractions", other, expect=200)
    assert same["extraction"]["id"] == started["extraction"]["id"]
