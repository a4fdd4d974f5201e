from __future__ import annotations

import json

import pytest

from mistudio_ext.client.server import ServerAddress, find_server


@pytest.fixture(autouse=True)
def _outside(monkeypatch):
    for name in ("MISTUDIO_SERVER_URL", "MISTUDIO_SERVER_TOKEN", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server_file(tmp_path, monkeypatch):
    """Write what a Jupyter server leaves in its runtime folder."""

    def write(text, pid=4711):
        (tmp_path / f"jpserver-{pid}.json").write_text(text)
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("JPY_PARENT_PID", "4711")

    return write


def test_outside_a_server():
    assert find_server() is None


def test_from_the_environment(monkeypatch):
    monkeypatch.setenv("MISTUDIO_SERVER_URL", "http://127.0.0.1:8888/user/x")
    monkeypatch.setenv("MISTUDIO_SERVER_TOKEN", "secret")
    assert find_server() == ServerAddress("http://127.0.0.1:8888/user/x/", "secret", True)
    assert "secret" not in repr(find_server())


def test_token_of_the_hub(monkeypatch):
    monkeypatch.setenv("MISTUDIO_SERVER_URL", "http://127.0.0.1:8888/")
    monkeypatch.setenv("MISTUDIO_SERVER_TOKEN", "")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "hub")
    assert find_server().token == "hub"


@pytest.mark.parametrize("url", ["", "none", "http+unix://x"])
def test_switched_off(monkeypatch, server_file, url):
    server_file(json.dumps({"url": "http://localhost:1/", "token": "t"}))
    monkeypatch.setenv("MISTUDIO_SERVER_URL", url)
    assert find_server() is None


def test_from_the_runtime_folder(server_file):
    server_file(json.dumps({"url": "https://localhost:8889/x/", "token": "t", "sock": ""}))
    assert find_server() == ServerAddress("https://localhost:8889/x/", "t", certain=False)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"url": "http+unix://%2Ftmp/"}',
        '{"url": "http://localhost:1/", "sock": "/tmp/s"}',
    ],
)
def test_runtime_file_of_no_use(server_file, text):
    server_file(text)
    assert find_server() is None


def test_runtime_file_of_another_server(server_file):
    server_file(json.dumps({"url": "http://localhost:1/"}), pid=1)
    assert find_server() is None


def test_parent_is_no_number(monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", "../x")
    assert find_server() is None
