"""A real JupyterHub: its proxy, an idle culler, two users, and one administrator's config file."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hubsim.hubsim import HubSim
from tests.hubsim.repositories import SAMPLE_MODEL, write_lines
from tests.servers import free_port

Json = dict[str, Any]

HERE = Path(__file__).parent
PROXY = HERE / "node_modules" / ".bin" / "configurable-http-proxy"
START_TIMEOUT = 90.0

#: Seconds without activity after which the culler stops a server. One that works says so every
#: five seconds; on a busy machine it may be late.
CULL_AFTER_S = 30

#: What the administrator sets for all.
QUOTA = 300_000_000


@dataclass
class JupyterHub:
    """A running JupyterHub.

    Parameters
    ----------
    folder
        Everything of the hub and its users lies below it.
    models
        Folder of models that all users share.
    endpoint
        Address of the Hugging Face Hub, here the loopback one.
    """

    folder: Path
    models: Path
    endpoint: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    culler_token: str = field(default_factory=lambda: secrets.token_hex(16))
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start hub and proxy and wait until they answer."""
        admin = self.folder / "admin"
        for folder in (admin, self.folder / "home", self.leases):
            folder.mkdir(parents=True)
        self.leases.chmod(0o1777)
        (admin / "jupyter_server_config.py").write_text(self._settings_for_all())
        (self.folder / "jupyterhub_config.py").write_text(self._config(admin))
        with (self.folder / "hub.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"],
                cwd=self.folder,
                env=_environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.until(lambda: self._up() or None, "the hub to start")

    def stop(self) -> None:
        """End the hub, its proxy and its users' servers."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    @contextmanager
    def idle_culler(self) -> Iterator[None]:
        """Run the idle culler, as the hub would as one of its services."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterhub_idle_culler",
                f"--url=http://127.0.0.1:{self.port}/hub/api",
                f"--timeout={CULL_AFTER_S}",
                "--cull-every=1",
            ],
            env={**_environment(self.folder), "JUPYTERHUB_API_TOKEN": self.culler_token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)

    @property
    def leases(self) -> Path:
        """Folder in which all users take turns on the node's devices."""
        return self.folder / "leases"

    def home(self, user: str) -> Path:
        """Return a user's home folder."""
        return self.folder / "home" / user

    def hub(self, method: str, path: str, body: Json | None = None) -> Any:
        """Call the hub's own REST interface, as an administrator's service."""
        return _call(f"http://127.0.0.1:{self.port}/hub/api/{path}", self.token, method, body)

    def server(self, user: str) -> Json | None:
        """Return what the hub knows of a user's server, None if it does not run."""
        servers: Json = self.hub("GET", f"users/{user}")["servers"]
        found: Json | None = servers.get("")
        return found if found and found["ready"] else None

    def start_server(self, user: str) -> None:
        """Begin to start a user's server."""
        self.hub("POST", f"users/{user}/server")

    def sign_in(self, user: str) -> User:
        """Return a user whose server was started, with a token of his own."""
        token = self.hub("POST", f"users/{user}/tokens", {"note": "tests"})["token"]
        self.until(lambda: self.server(user), f"the server of {user} to start")
        return User(user, token, f"http://127.0.0.1:{self.port}/user/{user}/")

    def until(self, condition: Callable[[], Any], what: str, timeout: float = START_TIMEOUT) -> Any:
        """Wait until something is true and return it; the hub's log says why it never was."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is None and (found := condition()):
                return found
            time.sleep(0.2)
        log = (self.folder / "hub.log").read_text(errors="replace")[-6000:]
        raise AssertionError(f"Waited in vain for {what}:\n{log}")

    def _up(self) -> bool:
        try:
            return bool(self.hub("GET", "users"))
        except (OSError, urllib.error.HTTPError):
            return False

    def _settings_for_all(self) -> str:
        return f"""\
c.MiStudioApp.hub_endpoint = {self.endpoint!r}
c.MiStudioApp.shared_model_dirs = [{str(self.models)!r}]
c.MiStudioApp.quota_bytes = {QUOTA}
c.MiStudioApp.lease_dir = {str(self.leases)!r}
# For the browser: a handle on the application, and nothing that covers it.
c.LabApp.expose_app_in_browser = True
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
"""

    def _config(self, admin: Path) -> str:
        return f"""\
c.JupyterHub.bind_url = "http://127.0.0.1:{self.port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{free_port()}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.ConfigurableHTTPProxy.command = [{str(PROXY)!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{free_port()}"
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {self.password!r}
c.Authenticator.allowed_users = {{"ada", "bob"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {str(self.folder / "home")!r} + "/{{username}}"
c.Spawner.cmd = [{sys.executable!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.http_timeout = c.Spawner.start_timeout = {int(START_TIMEOUT)}
c.Spawner.environment = {{
    "JUPYTER_CONFIG_PATH": {str(admin)!r},
    # A hub hears of activity this often; by default every five minutes.
    "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
}}
c.JupyterHub.services = [
    {{"name": "tests", "api_token": {self.token!r}}},
    {{"name": "idle-culler", "api_token": {self.culler_token!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "tests", "services": ["tests"],
      "scopes": ["admin:users", "admin:servers", "tokens"]}},
    {{"name": "idle-culler", "services": ["idle-culler"],
      "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"]}},
]
"""


@dataclass(frozen=True)
class User:
    """A user whose server runs."""

    name: str
    token: str
    url: str

    def __call__(self, method: str, route: str, body: Json | None = None) -> Any:
        """Call miStudio's REST interface on the user's own server."""
        return _call(f"{self.url}mistudio/api/v1/{route}", self.token, method, body)

    def job(self, job: Json) -> Json:
        """Wait until a job has ended, and return it."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            found: Json = self("GET", f"jobs/{job['id']}")
            if found["state"] not in ("queued", "running"):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{job} did not end")


def status(user: User, url: str) -> int:
    """Return the status with which an address answers a user."""
    try:
        _call(url, user.token, "GET", None)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def _call(url: str, token: str, method: str, body: Json | None) -> Any:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def _environment(folder: Path) -> dict[str, str]:
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "JPY", "MISTUDIO", "HF_", "IPYTHON", "XDG_"))
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), keep.get("PATH", "")])
    return keep | {"HOME": str(folder), "PATH": path}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSim]:
    """Return a loopback Hugging Face Hub with a model and a dataset."""
    root = tmp_path_factory.mktemp("repositories")
    (root / "models" / "org").mkdir(parents=True)
    (root / "models" / "org" / "tiny").symlink_to(SAMPLE_MODEL)
    write_lines(root / "datasets" / "org" / "texts" / "train.jsonl", ["a story " * 40] * 5000)
    with HubSim(root) as running:
        yield running


@pytest.fixture(scope="module")
def jupyterhub(
    tmp_path_factory: pytest.TempPathFactory, repositories: HubSim
) -> Iterator[JupyterHub]:
    """Return a JupyterHub that starts the servers of two users."""
    folder = tmp_path_factory.mktemp("jupyterhub")
    shared = folder / "shared"
    (shared / "org").mkdir(parents=True)
    (shared / "org" / "shared").symlink_to(SAMPLE_MODEL)
    hub = JupyterHub(folder / "hub", shared, repositories.url)
    hub.start()
    for user in ("ada", "bob"):
        hub.start_server(user)
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def ada(jupyterhub: JupyterHub) -> User:
    """Return the first user, signed in."""
    return jupyterhub.sign_in("ada")


@pytest.fixture(scope="module")
def bob(jupyterhub: JupyterHub) -> User:
    """Return the second user, signed in."""
    return jupyterhub.sign_in("bob")
