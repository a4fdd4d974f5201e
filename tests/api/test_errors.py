"""Errors over HTTP: status, code, field, hint; never a traceback; never without permission."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import API, Api, Fetch


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "code"),
    [
        ("GET", "datasets/ds_nothing", None, 404, "no_such_dataset"),
        ("GET", "models/model_nothing/architecture", None, 404, "no_such_model"),
        ("GET", "extractions/ext_nothing", None, 404, "no_such_extraction"),
        ("GET", "jobs/job_nothing", None, 404, "no_such_job"),
        ("POST", "jobs/job_nothing/cancel", {}, 404, "no_such_job"),
        ("DELETE", "models/model_nothing", None, 404, "no_such_model"),
        ("PATCH", "datasets/ds_nothing", {"name": "x"}, 404, "no_such_dataset"),
        ("GET", "nothing/at/all", None, 404, "no_such_route"),
        ("POST", "datasets", {"source": "moon"}, 400, "bad_source"),
        ("POST", "datasets/delete", {"ids": "all"}, 400, "bad_ids"),
        ("POST", "extractions", {"model": "a b"}, 400, "dataset_missing"),
        ("POST", "extractions/estimate", {"model": "m", "dataset": "d"}, 404, "no_such_model"),
        ("PUT", "datasets", {}, 405, "http_405"),
    ],
)
async def test_errors(api: Api, method: str, route: str, body: Any, status: int, code: str) -> None:
    """Every error has message, reason and code."""
    answer = await api(method, route, body, expect=status)
    assert answer["code"] == code
    assert answer["message"]
    assert answer["reason"]
    assert "Traceback" not in str(answer)


async def test_bodies_that_are_no_json_objects(jp_fetch: Fetch) -> None:
    """Anything but a JSON object is refused as such."""
    for body in ("{", "[]", '"text"', "\xff"):
        answer = await jp_fetch(
            *API.split("/"), "datasets", method="POST", body=body, raise_error=False
        )
        assert answer.code == 400
        assert b"bad_json" in answer.body


async def test_query_numbers(api: Api) -> None:
    """A query parameter that is no number names its field."""
    answer = await api("GET", "datasets/ds_1/samples", expect=400, offset="many")
    assert (answer["code"], answer["field"]) == ("bad_number", "offset")


async def test_nothing_without_authentication(http_server_client: Any, jp_base_url: str) -> None:
    """Without a token no route answers, the websocket and the description included."""
    for route in ("system", "datasets", "jobs", "spec.yaml", "events", "nothing"):
        answer = await http_server_client.fetch(
            f"{jp_base_url}{API}/{route}", raise_error=False, follow_redirects=False
        )
        assert answer.code in (302, 401, 403), route
        assert b"mistudio" not in answer.body.lower() or answer.code == 302


async def test_idempotency_key(api: Api) -> None:
    """The same key gets the same answer and starts nothing twice."""
    headers = {"Idempotency-Key": "key-1"}
    body = {"source": "sample", "name": "first"}
    first = await api("POST", "datasets", body, expect=202, headers=headers)
    second = await api("POST", "datasets", body, expect=202, headers=headers)
    assert first == second
    # A key belongs to one request: with another body it is no repetition of it.
    other = await api("POST", "datasets", {**body, "max_rows": 3}, expect=409, headers=headers)
    assert other["code"] == "key_reused"
    third = await api("POST", "datasets", body, expect=202, headers={"Idempotency-Key": "key-2"})
    assert third["dataset"]["id"] == first["dataset"]["id"]
    assert len((await api("GET", "jobs"))["jobs"]) == 1
    await api.job(first["job"])
