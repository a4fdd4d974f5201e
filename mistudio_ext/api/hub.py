"""Handlers of the Hub; the token comes in a header of its own and is kept nowhere."""

from __future__ import annotations

from mistudio_ext.api.handlers import StudioHandler, allowed

#: Header with the token for gated and private repositories.
TOKEN_HEADER = "X-Hub-Token"


class HubSearchHandler(StudioHandler):
    """``hub/datasets``, ``hub/models``."""

    def initialize(self, kind: str) -> None:
        """Say what is searched."""
        self.kind = kind

    @allowed("read")
    async def get(self) -> None:
        """Search."""
        hub = (await self.studio()).hub
        token = self.request.headers.get(TOKEN_HEADER) or None
        await self.reply(self.host.call(hub.search, self.kind, self.text("q"), token))


class HubRepositoryHandler(StudioHandler):
    """``hub/datasets/{org}/{name}``, ``hub/models/{org}/{name}``, also without an org."""

    def initialize(self, kind: str) -> None:
        """Say what it is."""
        self.kind = kind

    @allowed("read")
    async def get(self, *name: str) -> None:
        """Describe one repository before it is downloaded."""
        hub = (await self.studio()).hub
        token = self.request.headers.get(TOKEN_HEADER) or None
        repository = "/".join(name)
        if self.kind == "datasets":
            await self.reply(self.host.call(hub.dataset, repository, token))
            return
        batch = self.integer("batch_tokens"), self.integer("n_hooks")
        await self.reply(self.host.call(hub.model, repository, token, *batch))
