"""``spec.yaml``: the OpenAPI description of all routes."""

from __future__ import annotations

from pathlib import Path

from mistudio_ext.api.handlers import StudioHandler, allowed

SPEC = Path(__file__).parent / "openapi.yaml"


class SpecHandler(StudioHandler):
    """``spec.yaml``."""

    @allowed("read")
    async def get(self) -> None:
        """Return the OpenAPI description."""
        self.set_header("Content-Type", "application/yaml")
        await self.finish(await self.host.call(SPEC.read_text))
