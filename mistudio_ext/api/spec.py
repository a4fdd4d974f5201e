"""``spec.yaml``: the OpenAPI description of all routes."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

from mistudio_ext.api.handlers import RESOURCE, StudioHandler

SPEC = Path(__file__).parent / "openapi.yaml"


class SpecHandler(StudioHandler):
    """``spec.yaml``."""

    @web.authenticated
    @authorized("read", RESOURCE)
    async def get(self) -> None:
        """Return the OpenAPI description."""
        self.set_header("Content-Type", "application/yaml")
        await self.finish(SPEC.read_text())
