from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mistudio_ext import errors
from mistudio_ext.client.rest import RestClient
from mistudio_ext.client.server import ServerAddress


@pytest.fixture
def server():
    """A real HTTP server on loopback; `server.answers` is [(status, body) or a function]."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def _any(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            http.seen.append((self.command, self.path, dict(self.headers), body))
            answer = http.answers.pop(0)
            if callable(answer):
                answer = answer(self)
                if answer is None:
                    return
            status, content = answer
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.seen, http.answers = [], []
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    http.url = f"http://127.0.0.1:{http.server_port}/base/"
    yield http
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def client(server):
    return RestClient(ServerAddress(server.url, "secret"), timeout_s=5)


def test_get(server, client, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must not be asked for loopback
    client = RestClient(ServerAddress(server.url, "secret"))
    server.answers = [(200, {"a": 1})]
    assert client.get("jobs", since=3, nothing=None, q="ä b") == {"a": 1}
    method, path, headers, _ = server.seen[0]
    assert (method, path) == ("GET", "/base/mistudio/api/v1/jobs?since=3&q=%C3%A4+b")
    assert headers["Authorization"] == "token secret"


def test_delete(server, client):
    server.answers = [(200, {"deleted": []})]
    assert client.delete("models/m", variants="true", nothing=None) == {"deleted": []}
    assert server.seen[0][:2] == ("DELETE", "/base/mistudio/api/v1/models/m?variants=true")


def test_post(server, client):
    server.answers = [(202, {"job": {}})]
    assert client.post("extractions", {"model": "m"}) == {"job": {}}
    _, _, headers, body = server.seen[0]
    assert json.loads(body) == {"model": "m"}
    assert len(headers["Idempotency-Key"]) == 32


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "unknown_hook", errors.InvalidInputError),
        (404, "no_such_model", errors.NotFoundError),
        (409, "name_taken", errors.ConflictError),
        (507, "no_space", errors.NoSpaceError),
        (507, "out_of_memory", errors.OutOfMemoryError),
        (502, "hub_unavailable", errors.HubError),
        (403, "gated", errors.AccessDeniedError),
        (500, "internal_error", errors.MiStudioError),
    ],
)
def test_errors_of_the_server(server, client, status, code, kind):
    body = {"message": "No.", "reason": "x", "code": code, "hint": "Do.", "field": "hooks"}
    server.answers = [(status, body)]
    with pytest.raises(kind) as caught:
        client.get("x")
    error = caught.value
    assert (error.message, error.code, error.hint, error.field) == ("No.", code, "Do.", "hooks")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((404, b"<html>"), "extension_missing"),
        ((404, {"message": "Not found"}), "extension_missing"),
        ((403, b"<html>"), "not_authorized"),
        ((403, {"message": "Forbidden", "reason": None}), "not_authorized"),
        ((403, {"message": "'_xsrf' argument missing", "code": "http_403"}), "not_authorized"),
        ((200, b"<html>login</html>"), "not_authorized"),
        ((500, b"<html>"), "http_500"),
    ],
)
def test_answers_that_are_not_ours(server, client, answer, code):
    server.answers = [answer]
    with pytest.raises(errors.ServerError) as caught:
        client.get("system")
    assert caught.value.code == code


def test_nobody_there():
    client = RestClient(ServerAddress("http://127.0.0.1:9/"))
    with pytest.raises(ConnectionError, match="cannot be reached"):
        client.get("system")


def test_no_answer_in_time(server):
    server.answers = [lambda _: time.sleep(1)]
    with pytest.raises(errors.ServerError, match="cannot be reached"):
        RestClient(ServerAddress(server.url), timeout_s=0.1).get("system")


def test_a_post_is_sent_again_with_the_same_key_if_the_connection_breaks(server, client):
    def hang_up(handler):
        handler.close_connection = True

    server.answers = [hang_up, (202, {"job": {"id": "job_1"}})]
    assert client.post("extractions", {}) == {"job": {"id": "job_1"}}
    first, second = (headers["Idempotency-Key"] for _, _, headers, _ in server.seen)
    assert first == second
    server.answers = [hang_up, hang_up]
    with pytest.raises(errors.ServerError):
        client.post("extractions", {})
