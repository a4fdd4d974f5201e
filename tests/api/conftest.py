"""A real Jupyter server with the extension, and short ways to talk to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Json = dict[str, Any]
Fetch = Callable[..., Awaitable[Any]]

API = "mistudio/api/v1"


@pytest.fixture
def jp_server_config() -> Json:
    """Enable the extension."""
    return {"ServerApp": {"jpserver_extensions": {"mistudio_ext": True}}}


class Api:
    """The REST API of the server under test."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def __call__(
        self,
        method: str,
        route: str,
        body: Json | None = None,
        *,
        expect: int = 200,
        headers: dict[str, str] | None = None,
        **params: Any,
    ) -> Any:
        """Send a request, check the status, and return the JSON answer."""
        sent = json.dumps(body or {}) if method in ("POST", "PATCH", "PUT") else None
        answer = await self._fetch(
            *f"{API}/{route}".split("/"),
            method=method,
            body=sent,
            params={k: str(v) for k, v in params.items()},
            headers=headers or {},
            raise_error=False,
        )
        code, text = answer.code, answer.body
        assert code == expect, f"{method} {route}: {code} {text!r}"
        return json.loads(text)

    async def lines(self, route: str, **params: Any) -> list[Json]:
        """Return the answer of a route that sends lines of JSON."""
        answer = await self._fetch(
            *f"{API}/{route}".split("/"), params={k: str(v) for k, v in params.items()}
        )
        return [json.loads(line) for line in answer.body.splitlines()]

    async def job(self, job: Json | None, state: str | None = "done") -> Json:
        """Wait until a job has ended as expected (None for any end), and return it."""
        import asyncio

        assert job is not None
        for _ in range(900):
            found: Json = await self("GET", f"jobs/{job['id']}")
            if found["state"] in ("done", "failed", "cancelled", "interrupted"):
                assert state in (None, found["state"]), found
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{found} did not end")

    async def sample(self) -> tuple[Json, Json]:
        """Register the bundled dataset and model and return both, ready."""
        dataset = await self("POST", "datasets", {"source": "sample"}, expect=202)
        model = await self("POST", "models", {"source": "sample"}, expect=202)
        await self.job(dataset["job"])
        await self.job(model["job"])
        return (
            await self("GET", f"datasets/{dataset['dataset']['id']}"),
            await self("GET", f"models/{model['model']['id']}"),
        )


@pytest.fixture
def api(jp_fetch: Fetch) -> Api:
    """Talk to the server's REST API."""
    return Api(jp_fetch)
