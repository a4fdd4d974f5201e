"""The extension under a real JupyterHub: two users, one node.

The tests share one hub. The last one stops Bob's server, so it stays the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from playwright.sync_api import Browser, Page, expect
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.hub.conftest import CULL_AFTER_S, QUOTA, JupyterHub, User, status
from tests.hubsim.hubsim import HubSim
from tests.ui.conftest import SCREENSHOTS, chromium, listen_for_errors
from tests.ui.frontends import SLOW, Panels, sidebar, wait_for_app

#: One hub is enough: where tests are spread by groups, these stay together.


def test_one_config_file_sets_the_traits_for_all(ada: User, bob: User) -> None:
    """What the administrator wrote holds under /user/NAME/ for everybody."""
    for user in (ada, bob):
        system = user("GET", "system")
        assert system["limits"]["quota_bytes"] == QUOTA
        assert f"/home/{user.name}/" in system["disk"]["path"]


def test_the_panels_in_two_browsers(ada: User, bob: User, jupyterhub: JupyterHub) -> None:
    """Ada extracts under /user/ada/ and sees it go on; Bob has panels of his own, and no others.

    They sign in at the hub: what the panels send is allowed by cookies and XSRF tokens alone.
    """
    with chromium() as browser:
        page, errors = new_page(browser)
        heard = hear(page)
        panels = sign_in(page, jupyterhub, "ada")
        panels.tab("Datasets")
        panels.add_sample_dataset()
        panels.tab("Models")
        panels.add_sample_model()
        panels.tab("Extract")
        panels.choose("Dataset", "sample-stories")
        panels.choose("Model", "sample-model")
        panels.root.get_by_role("textbox", name="Layers").fill("5")
        panels.root.get_by_label("At most this many samples").fill("100")
        panels.button("Extract").click()
        expect(panels.root.get_by_role("progressbar").first).to_be_visible(timeout=SLOW)
        page.screenshot(path=SCREENSHOTS / "hub-ada.png")
        (made,) = ada("GET", "extractions")["extractions"]
        run = panels.root.get_by_test_id(f"mistudio-run-{made['id']}")
        expect(run).to_contain_text("Done", timeout=SLOW)
        assert errors == []
        assert heard(f"extractions/{made['id']}")

        def held() -> bool:
            leases = bob("GET", "system")["devices"][0]["leases"]
            return [(each["user"], each["idle"]) for each in leases] == [("ada", True)]

        jupyterhub.until(held, "Bob to see that Ada's warm worker has the device")

        other, errors = new_page(browser)
        his = sign_in(other, jupyterhub, "bob")
        for tab in ("Datasets", "Jobs", "Activations"):
            his.tab(tab)
            expect(his.root.get_by_text(re.compile("sample-stories|sample-model"))).to_have_count(0)
        other.screenshot(path=SCREENSHOTS / "hub-bob.png")
        answer = other.goto(f"{ada.url}lab")
        assert answer is not None
        assert answer.status == 403
        assert errors == []


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
    started = ada("POST", "datasets", {"source": "sample"})
    job = started["job"] or ada("GET", "jobs")["jobs"][0]
    assert ada.job(job)["state"] == "done"
    assert bob("GET", "datasets")["datasets"] == []
    assert all(each["id"] != job["id"] for each in bob("GET", "jobs")["jobs"])
    assert status(bob, f"{bob.url}mistudio/api/v1/datasets/{started['dataset']['id']}") == 404
    assert status(bob, f"{bob.url}mistudio/api/v1/jobs/{job['id']}") == 404
    assert status(bob, f"{ada.url}mistudio/api/v1/datasets") == 403
    assert status(ada, f"{ada.url}mistudio/api/v1/datasets") == 200
    folder = jupyterhub.home("ada") / ".local" / "share" / "mistudio"
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(jupyterhub.home("bob").rglob(started["dataset"]["id"]))


def test_the_culler_leaves_a_working_server_alone(
    ada: User, bob: User, jupyterhub: JupyterHub, repositories: HubSim
) -> None:
    """A download that takes its time keeps Ada's server; Bob's idle one is stopped."""
    repositories.fail("throttle", match=r"^GET .*org/texts", rate=400)
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


def new_page(browser: Browser) -> tuple[Page, list[str]]:
    """Open a page in a browser profile of its own; return it and where its errors will stand."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(20_000)
    return page, listen_for_errors(page)


def sign_in(page: Page, jupyterhub: JupyterHub, user: str) -> Panels:
    """Sign a user in at the hub, and open the sidebar in his JupyterLab."""
    page.goto(f"http://127.0.0.1:{jupyterhub.port}/hub/login?next=/user/{user}/lab")
    page.get_by_label("Username:").fill(user)
    page.get_by_label("Password:").fill(jupyterhub.password)
    page.get_by_role("button", name="Sign in").click()
    wait_for_app(page)
    return sidebar(page)


def hear(page: Page) -> Callable[[str], bool]:
    """Listen to the page's websocket; the result tells whether it has heard of a topic."""
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda f: frames.append(str(f))))
    return lambda topic: any(topic in frame for frame in frames)
