"""From repository ids to activations, over a loopback Hub, gated repositories included."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mistudio_ext.activations.handle import Activations
from mistudio_ext.errors import AccessDeniedError, InvalidInputError
from mistudio_ext.studio import Studio
from tests.hubsim import HubSim, hub, hub_root
from tests.services.conftest import wait

__all__ = ["hub", "hub_root"]


def test_one_request_fetches_and_extracts(new_studio: Callable[..., Studio], hub: HubSim) -> None:
    """Dataset and model are named by their repositories; everything follows from that."""
    studio = new_studio(hub_endpoint=hub.url)
    body = {"model": "demo/stories", "dataset": "demo/plain", "layers": "0", "name": "from-hub"}
    extraction, job, started = studio.extractions.create(body)
    assert started
    ended = wait(studio, job)
    assert ended["state"] == "done", ended
    acts = Activations(studio.extractions.get(extraction["id"])["path"])
    assert acts[acts.hooks[0]].shape[0] == acts.total
    assert acts.manifest["spec"]["repo_id"] == "demo/stories"
    assert len(acts.manifest["spec"]["revision"]) == 40
    assert acts.sample(0).text
    downloaded = len(hub.calls("GET .*_cdn"))
    again, nothing, _ = studio.extractions.create(body)
    assert (again["id"], nothing) == (extraction["id"], None)
    assert len(hub.calls("GET .*_cdn")) == downloaded


def command_line(folder: Path) -> bytes:
    """Return the arguments of a job's process; nothing while there is none."""
    try:
        pid = json.loads((folder / "process.json").read_text())["pid"]
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def test_gated_until_the_token_comes(
    new_studio: Callable[..., Studio],
    hub: HubSim,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without access the job says so; with a token the same request goes on; it is kept nowhere."""
    caplog.set_level(logging.DEBUG)
    studio = new_studio(hub_endpoint=hub.url)
    events: list[str] = []
    studio.bus.subscribe(lambda message: events.append(message.text))
    body = {"source": "hub", "repo_id": "demo/gated"}
    dataset, job = studio.datasets.create(body)
    ended = wait(studio, job)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == "gated"
    assert ended["error"]["hint"]
    _, job = studio.datasets.create({**body, "token": "hf_bob"})
    assert wait(studio, job)["error"]["code"] == "gated"
    hub.fail("throttle", match="_cdn", rate=1_500, times=1)
    same, job = studio.datasets.create({**body, "token": "hf_alice"})
    assert same["id"] == dataset["id"]
    assert job is not None
    while not (arguments := command_line(tmp_path / "data/jobs" / job["id"])):
        assert studio.jobs.wait(job["id"], 0.05).state in ("queued", "running")
    assert b"mistudio_ext" in arguments
    assert wait(studio, job)["state"] == "done"
    assert studio.datasets.get(dataset["id"])["n_rows"] == 20
    secrets = (b"hf_alice", b"hf_bob")
    told = [arguments, caplog.text.encode(), *(text.encode() for text in events)]
    # The data folder with catalog, specs, events and logs of the jobs, and the Hub's cache.
    told += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(events) > 3
    assert not [text for text in told for secret in secrets if secret in text]


@pytest.mark.parametrize(
    ("repo_id", "code"), [("demo/nothing", "repo_not_found"), ("demo/gated-stories", "gated")]
)
def test_what_waits_for_a_failed_download_says_why(
    new_studio: Callable[..., Studio], hub: HubSim, repo_id: str, code: str
) -> None:
    """The extraction fails with the download's own error, and goes on when asked again."""
    studio = new_studio(hub_endpoint=hub.url)
    body = {"model": repo_id, "dataset": "sample-stories", "max_samples": 2, "layers": "0"}
    extraction, job, _ = studio.extractions.create(body)
    ended = wait(studio, job)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == code
    assert repo_id in ended["error"]["message"]
    acts = Activations(studio.extractions.get(extraction["id"])["path"])
    assert acts.state == "failed"
    again, retried, _ = studio.extractions.create(body)
    assert again["id"] == extraction["id"]
    assert wait(studio, retried)["error"]["code"] == code


def test_code_of_a_repository_runs_only_where_two_people_say_so(
    new_studio: Callable[..., Studio], hub: HubSim
) -> None:
    """The administrator by a trait, the user for one commit; then it is a model like any other."""
    body = {"source": "hub", "repo_id": "demo/own-code"}
    careful = new_studio(hub_endpoint=hub.url)
    commit = careful.hub.model("demo/own-code")["revision"]
    ticked = {**body, "trust_remote_code": True, "revision": commit}
    with pytest.raises(AccessDeniedError) as refused:
        careful.models.create(ticked)
    assert refused.value.code == "remote_code_not_allowed"
    careful.close()
    studio = new_studio(hub_endpoint=hub.url, allow_remote_code=True)
    with pytest.raises(InvalidInputError) as moving:
        studio.models.create({**ticked, "revision": "main"})
    assert (moving.value.code, moving.value.field) == ("revision_needed", "revision")
    model, job = studio.models.create(ticked)
    ended = wait(studio, job)
    assert ended["state"] == "done", ended
    assert studio.models.get(model["id"])["revision"] == commit
    asked = {"model": model["id"], "dataset": "sample-stories", "layers": "1", "max_samples": 3}
    _, job, _ = studio.extractions.create(asked)
    ended = wait(studio, job)
    assert ended["state"] == "done", ended
