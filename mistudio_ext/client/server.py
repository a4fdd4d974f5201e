"""Where the Jupyter server is that started this kernel. Standard library only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

#: The extension puts these into the environment of every kernel it starts.
ENV_URL, ENV_TOKEN = "MISTUDIO_SERVER_URL", "MISTUDIO_SERVER_TOKEN"

_HTTP = ("http://", "https://")


@dataclass(frozen=True)
class ServerAddress:
    """A Jupyter server.

    Attributes
    ----------
    url
        ``http(s)://host:port/base_url/``, ends with a slash.
    token
        What authenticates; empty if there is none.
    certain
        Whether the extension itself said that it is there.
    """

    url: str
    token: str = field(default="", repr=False)
    certain: bool = True


def find_server() -> ServerAddress | None:
    """Return the Jupyter server that started this process, or None.

    ``$MISTUDIO_SERVER_URL``, which the extension sets, is asked first; an
    empty value means that no server is to be used. Else the file is read that
    a Jupyter server leaves in its runtime folder for ``$JPY_PARENT_PID``.
    """
    hub_token = os.environ.get("JUPYTERHUB_API_TOKEN", "")
    url = os.environ.get(ENV_URL)
    if url is not None:
        token = os.environ.get(ENV_TOKEN) or hub_token
        return ServerAddress(_with_slash(url), token) if url.startswith(_HTTP) else None
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdecimal():
        return None
    try:
        text = (_runtime_folder() / f"jpserver-{parent}.json").read_text(encoding="utf-8")
        facts = json.loads(text)
    except (OSError, ValueError):
        return None
    found = str(facts.get("url") or "")
    if not found.startswith(_HTTP) or facts.get("sock"):
        return None
    return ServerAddress(_with_slash(found), str(facts.get("token") or hub_token), certain=False)


def _runtime_folder() -> Path:
    if chosen := os.environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(chosen)
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"
