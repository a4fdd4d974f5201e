"""Failed imports over HTTP: what mends them is offered, and a retry with that is done."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.hubsim import HubSim, hub, hub_root

__all__ = ["hub", "hub_root"]

Json = dict[str, Any]


@pytest.fixture
def jp_server_config(hub: HubSim) -> Json:
    """A server whose Hub is the simulated one, and whose administrator allows code."""
    return {
        "ServerApp": {"jpserver_extensions": {"mistudio_ext": True}},
        "MiStudioApp": {"hub_endpoint": hub.url, "allow_remote_code": True},
    }


async def retried(api: Api, job: Json, state: str | None = "done", **body: Any) -> Json:
    """Try a job again and return its end."""
    again = await api("POST", f"jobs/{job['id']}/retry", body, expect=202)
    return await api.job(again["job"], state)


@pytest.mark.parametrize(
    ("noun", "repo_id"), [("datasets", "demo/gated"), ("models", "demo/gated-stories")]
)
async def test_a_gated_repository(api: Api, noun: str, repo_id: str) -> None:
    """A token is asked for; one without access is asked for again; the right one ends well."""
    body = {"source": "hub", "repo_id": repo_id}
    started = await api("POST", noun, body, expect=202)
    ended = await api.job(started["job"], "failed")
    assert ended["error"]["code"] == "gated"
    assert [r["ask"] for r in ended["error"]["remedies"]] == ["token"]
    ended = await retried(api, started["job"], "failed", token="hf_bob")
    assert [r["ask"] for r in ended["error"]["remedies"]] == ["token"]
    await retried(api, started["job"], token="hf_alice")
    (record,) = (await api("GET", noun))[noun]
    assert (record["state"], record["error"]) == ("ready", None)


def jsonl(rng: random.Random) -> list[str]:
    """Return lines of which one is cut off."""
    rows = [json.dumps({"text": f"row {n} of {rng.random()}", "n": n}) for n in range(30)]
    rows[rng.randrange(10, 20)] = '{"text": "cut off'
    return rows


def chats(rng: random.Random) -> list[str]:
    """Return conversations of which one is no JSON."""
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]
    rows = [json.dumps({"messages": turns * rng.randint(1, 3)}) for _ in range(30)]
    rows[rng.randrange(10, 20)] = '{"messages": [{"role": "user", "content": "Hel'
    return rows


@pytest.mark.parametrize("lines_of", [jsonl, chats])
async def test_a_broken_row(api: Api, tmp_path: Path, lines_of: Any) -> None:
    """JSON Lines, of texts and of conversations: the row is skipped by the retry."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(lines_of(random.Random(4))) + "\n")
    body = {"source": "path", "path": str(file)}
    started = await api("POST", "datasets", body, expect=202)
    ended = await api.job(started["job"], "failed")
    changes = [r["change"] for r in ended["error"]["remedies"]]
    assert {"options": {"bad_rows": "skip"}} in changes
    await retried(api, started["job"], change={"options": {"bad_rows": "skip"}})
    dataset = await api("GET", f"datasets/{started['dataset']['id']}")
    assert (dataset["state"], dataset["n_rows"]) == ("ready", 29)
