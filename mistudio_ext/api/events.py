"""The websocket: what happens, in order, with replay for those who were away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mistudio_ext._version import __version__
from mistudio_ext.api.handlers import RESOURCE
from mistudio_ext.api.host import StudioHost

if TYPE_CHECKING:
    # At run time this would import SQLAlchemy while the server starts.
    from mistudio_ext.jobs.bus import EventBus, Message
    from mistudio_ext.services.monitor import MonitorService


class EventsHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """``events?since=SEQ``.

    Messages wait per topic: a slow reader gets the newest of a topic, so what
    waits for it never grows beyond the number of topics.
    """

    auth_resource = RESOURCE

    #: The client is gone, perhaps before it was served at all.
    _left = False

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the websocket for a user who may read."""
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", RESOURCE)
        if not await ensure_async(allowed):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Say hello and begin to send."""
        super().open(*args, **kwargs)
        host: StudioHost = self.settings["mistudio_host"]
        self._waiting: dict[str, Message] = {}
        self._something = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        studio = await host.studio()
        self._bus: EventBus = studio.bus
        if self._is_gone():
            return  # While the studio was opening.
        self._monitor: MonitorService = studio.monitor
        text = self.get_query_argument("since", "")
        since = int(text) if text.isdigit() else None
        await self._send(self._bus.hello(__version__).text)
        if self._is_gone():
            return
        self._bus.subscribe(self._receive, since)
        self._monitor.listen()
        self._sender = asyncio.create_task(self._send_waiting())

    def on_close(self) -> None:
        """Stop listening."""
        super().on_close()
        self._left = True
        if hasattr(self, "_sender"):
            self._bus.unsubscribe(self._receive)
            self._monitor.leave()
            self._sender.cancel()

    def _is_gone(self) -> bool:
        return self._left

    def on_message(self, message: str | bytes) -> None:
        """Ignore what a client says; it has nothing to say here."""

    def _receive(self, message: Message) -> None:
        """Take a message from any thread."""
        self._loop.call_soon_threadsafe(self._enqueue, message)

    def _enqueue(self, message: Message) -> None:
        # Out and in again: the newest of a topic takes the newest place in the order.
        self._waiting.pop(message.topic, None)
        self._waiting[message.topic] = message
        self._something.set()

    async def _send_waiting(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                topic = next(iter(self._waiting))
                if not await self._send(self._waiting.pop(topic).text):
                    return

    async def _send(self, message: str) -> bool:
        """Send a message; wait while the reader is slow; tell whether it is still there."""
        try:
            await self.write_message(message)
        except (WebSocketClosedError, StreamClosedError):
            return False
        return True
