"""A Jupyter server of its own for a test, as a user would start it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_TIMEOUT = 90.0


@dataclass
class JupyterProcess:
    """A running Jupyter server with folders and settings of its own.

    Parameters
    ----------
    folder
        Everything that the server reads and writes lies below it.
    config
        Further configuration, as in ``jupyter_server_config.json``.
    python
        Interpreter of the environment to start from.
    """

    folder: Path
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    python: str = sys.executable
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    #: Chosen at the first start and kept, so that a restarted server is found again.
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base URL, with its slash."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def notebooks(self) -> Path:
        """Folder that the file browser shows."""
        return self.folder / "notebooks"

    @property
    def data_dir(self) -> Path:
        """miStudio's data folder."""
        return self.folder / "mistudio"

    @property
    def log(self) -> str:
        """What the server printed."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def page(self, path: str) -> str:
        """Return the address of a page, with the token."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self.token}"

    def api(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Call the REST interface below ``mistudio/api/v1/``."""
        request = urllib.request.Request(
            f"{self.url}mistudio/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        for name in ("home", "notebooks", "config", "runtime", "settings", "workspaces"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self._write_config()
        with (self.folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "jupyterlab", "--no-browser"],
                cwd=self.notebooks,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def stop(self) -> None:
        """End the server and its kernels."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def _write_config(self) -> None:
        config: dict[str, dict[str, Any]] = {
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": self.port,
                "port_retries": 0,
                "open_browser": False,
                "allow_root": True,
                "root_dir": str(self.notebooks),
            },
            "IdentityProvider": {"token": self.token},
            "LabApp": {
                "expose_app_in_browser": True,
                "extension_manager": "readonly",
                "news_url": None,
                "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
                "user_settings_dir": str(self.folder / "settings"),
                "workspaces_dir": str(self.folder / "workspaces"),
            },
            "JupyterNotebookApp": {"expose_app_in_browser": True},
        }
        for section, values in self.config.items():
            config.setdefault(section, {}).update(values)
        path = self.folder / "config" / "jupyter_server_config.json"
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        self._write_settings()

    def _write_settings(self) -> None:
        """Switch off what would cover the page or blink in it."""
        settings: dict[str, dict[str, Any]] = {
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "codemirror-extension/plugin": {"defaultConfig": {"cursorBlinkRate": 0}},
            "completer-extension/manager": {"autoCompletion": False},
        }
        for name, values in settings.items():
            self.write_setting(f"@jupyterlab/{name}", values)

    def write_setting(self, plugin: str, values: dict[str, Any]) -> None:
        """Write a user's settings of a plugin of JupyterLab, for pages that are opened later."""
        path = self.folder / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        keep = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "JPY", "MISTUDIO", "HF_", "IPYTHON"))
        }
        return keep | {
            "HOME": str(self.folder / "home"),
            "HF_HOME": str(self.folder / "hf-home"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "IPYTHONDIR": str(self.folder / "home" / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "home" / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "MISTUDIO_DATA_DIR": str(self.data_dir),
            "PYTHONWARNINGS": "default",
        }

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.page("api/status"), timeout=5):
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"The Jupyter server did not start:\n{self.log}")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
