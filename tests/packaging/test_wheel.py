"""What is in the wheel, and that installing it is all there is to do."""

from __future__ import annotations

import json
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.packaging.conftest import run
from tests.servers import JupyterProcess

#: Sample data and model are small enough to be bundled.
MAX_SAMPLE_MODEL = 8_000_000
MAX_WHEEL = 25_000_000

SHARED = "mistudio_ext-{version}.data/data/"


@pytest.fixture(scope="module")
def names(wheel: Path) -> dict[str, int]:
    """Return the files in the wheel with their sizes."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def test_everything_that_runs_is_in_the_wheel(names: dict[str, int]) -> None:
    wanted = [
        "mistudio_ext/py.typed",
        "mistudio_ext/api/openapi.yaml",
        "mistudio_ext/static/panels.js",
        "mistudio_ext/static/manifest.json",
        "mistudio_ext/sample/demo.ipynb",
        "mistudio_ext/sample/model/model.safetensors",
        "mistudio_ext/sample/model/tokenizer.json",
        "share/jupyter/labextensions/@mistudio/labextension/install.json",
        "share/jupyter/labextensions/@mistudio/labextension/package.json",
        "etc/jupyter/jupyter_server_config.d/mistudio_ext.json",
    ]
    missing = [path for path in wanted if not any(name.endswith(path) for name in names)]
    assert missing == []
    assert any("/catalog/migrations/" in name for name in names)
    assert any(name.startswith("mistudio_ext/sample/data/") for name in names)


def test_nothing_else_is_in_the_wheel(names: dict[str, int], wheel: Path) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top.split("-")[0] for top in tops} == {"mistudio_ext"}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
    model = sum(size for name, size in names.items() if "/sample/model/" in name)
    assert model < MAX_SAMPLE_MODEL
    assert wheel.stat().st_size < MAX_WHEEL


def test_both_halves_are_enabled_by_installing(environment: Path) -> None:
    server = run(environment, "-m", "jupyter", "server", "extension", "list")
    assert "mistudio_ext enabled" in _plain(server)
    assert "validation failed" not in server
    lab = _plain(run(environment, "-m", "jupyter", "labextension", "list"))
    (line,) = [line for line in lab.splitlines() if "@mistudio/labextension" in line]
    assert "enabled OK" in line


def test_server_of_a_new_environment_serves_both_halves(environment: Path, tmp_path: Path) -> None:
    server = JupyterProcess(tmp_path, python=str(environment))
    server.start()
    try:
        system = server.api("system")
        assert system["sample"] == {"dataset": "sample-stories", "model": "sample-model"}

        with urllib.request.urlopen(server.url + "static/mistudio_ext/manifest.json") as answer:
            bundle = json.load(answer)["panels.js"]
        address = f"{server.url}static/mistudio_ext/panels.js?v={bundle['hash']}"
        with urllib.request.urlopen(address) as answer:
            assert "javascript" in answer.headers["Content-Type"]
            assert len(answer.read()) > 1000

        with urllib.request.urlopen(server.page("lab")) as answer:
            assert "@mistudio/labextension" in answer.read().decode()
    finally:
        server.stop()
    origin = run(environment, "-c", "import mistudio_ext; print(mistudio_ext.__file__)")
    assert Path(origin.strip()).is_relative_to(environment.parents[1])


def _plain(text: str) -> str:
    """Drop the colours of a terminal."""
    for code in ("\x1b[32m", "\x1b[31m", "\x1b[0m"):
        text = text.replace(code, "")
    return text
