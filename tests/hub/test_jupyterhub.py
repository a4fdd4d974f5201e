"""The extension under a real JupyterHub: two users, one node.

The tests share one hub. The last one stops Bob's server, so it stays the last.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.hub.conftest import CULL_AFTER_S, QUOTA, JupyterHub, User, status
from tests.hubsim.hubsim import HubSim

#: One hub is enough: where tests are spread by groups, these stay together.


def test_one_config_file_sets_the_traits_for_all(ada: User, bob: User) -> None:
    """What the administrator wrote holds under /user/NAME/ for everybody."""
    for user in (ada, bob):
        system = user("GET", "system")
        assert system["limits"]["quota_bytes"] == QUOTA
        assert f"/home/{user.name}/" in system["disk"]["path"]


def test_a_shared_model_is_not_downloaded(
    ada: User, bob: User, repositories: HubSim, jupyterhub: JupyterHub
) -> None:
    """Both users get it from the shared folder; nobody asks the Hub."""
    body = {"source": "hub", "repo_id": "org/shared"}
    both = [(user, user("POST", "models", body)) for user in (ada, bob)]
    for user, started in both:
        assert user.job(started["job"])["state"] == "done"
        model = user("GET", f"models/{started['model']['id']}")
        assert model["source_path"] == str(jupyterhub.models / "org" / "shared")
        assert not model["in_hf_cache"]
    assert repositories.calls("org/shared") == []


async def test_live_events_pass_the_proxy(ada: User) -> None:
    """The websocket works under /user/NAME/ with the user's token."""
    url = f"{ada.url}mistudio/api/v1/events".replace("http", "ws", 1)
    request = HTTPRequest(url, headers={"Authorization": f"token {ada.token}"})
    socket = await websocket_connect(request)
    hello = json.loads(await socket.read_message() or "{}")
    assert hello["type"] == "hello"
    while (message := json.loads(await socket.read_message() or "{}"))["type"] != "system":
        pass
    assert message["payload"]["devices"][0]["id"] == "cpu"
    socket.close()


def test_a_user_sees_nothing_of_another(ada: User, bob: User, jupyterhub: JupyterHub) -> None:
    """Neither catalog, files and jobs, nor the other's server itself."""
    started = ada("POST", "datasets", {"source": "sample", "name": "adas"})
    assert ada.job(started["job"])["state"] == "done"
    assert bob("GET", "datasets")["datasets"] == []
    assert all(job["target"]["name"] != "adas" for job in bob("GET", "jobs")["jobs"])
    assert status(bob, f"{bob.url}mistudio/api/v1/datasets/{started['dataset']['id']}") == 404
    assert status(bob, f"{bob.url}mistudio/api/v1/jobs/{started['job']['id']}") == 404
    assert status(bob, f"{ada.url}mistudio/api/v1/datasets") == 403
    assert status(ada, f"{ada.url}mistudio/api/v1/datasets") == 200
    folder = jupyterhub.home("ada") / ".local" / "share" / "mistudio"
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(jupyterhub.home("bob").rglob(started["dataset"]["id"]))


def test_the_culler_leaves_a_working_server_alone(
    ada: User, bob: User, jupyterhub: JupyterHub, repositories: HubSim
) -> None:
    """A download that takes its time keeps Ada's server; Bob's idle one is stopped."""
    repositories.fail("throttle", match=r"^GET .*org/texts", rate=1000)
    started = ada("POST", "datasets", {"source": "hub", "repo_id": "org/texts"})
    asked = last_active(jupyterhub, "ada")

    def active_again() -> bool:
        idle = timedelta(seconds=CULL_AFTER_S + 2)
        return last_active(jupyterhub, "ada") - asked > idle

    with jupyterhub.idle_culler():
        jupyterhub.until(lambda: jupyterhub.server("bob") is None, "Bob's server to be culled")
        # Nobody talks to Ada's server meanwhile: only the job counts.
        jupyterhub.until(active_again, "the job to count as activity")
        assert ada("GET", f"jobs/{started['job']['id']}")["state"] == "running"
    ada("POST", f"jobs/{started['job']['id']}/cancel", {})
    repositories.heal()
    assert ada.job(started["job"])["state"] == "cancelled"


def last_active(jupyterhub: JupyterHub, user: str) -> datetime:
    """Return when the hub last heard that a user's server was active."""
    server = jupyterhub.server(user)
    assert server is not None, f"the server of {user} was culled"
    return datetime.fromisoformat(server["last_activity"])
