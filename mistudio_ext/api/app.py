"""The server extension."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from traitlets import default

from mistudio_ext._version import __version__
from mistudio_ext.api.host import StudioHost
from mistudio_ext.api.routes import routes
from mistudio_ext.paths import ENV_DATA_DIR
from mistudio_ext.settings import SettingsTraits

#: Milliseconds between looks whether jobs are active, which keep the server from being culled.
ACTIVITY_MS = 5_000


#: The panels' bundle.
STATIC = Path(__file__).parent.parent / "static"


class MiStudioApp(SettingsTraits, ExtensionApp):
    """miStudio: from a dataset and a model to activations in a notebook."""

    name = "mistudio_ext"
    app_name = "miStudio"
    description = "Datasets, models and activations of language models in Jupyter"
    version = __version__
    load_other_extensions = True
    extension_url = "/lab"

    @default("static_paths")
    def _default_static_paths(self) -> list[str]:
        return [str(STATIC)]

    def initialize_settings(self) -> None:
        """Make the host known to the handlers; the studio itself opens later."""
        self.host = StudioHost(self.values())
        self.settings["mistudio_host"] = self.host

    def initialize_handlers(self) -> None:
        """Add all routes."""
        self.handlers.extend(routes())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Tell kernels where the server is, and open the studio behind the server's back."""
        os.environ["MISTUDIO_SERVER_URL"] = server_url(serverapp)
        os.environ["MISTUDIO_SERVER_TOKEN"] = serverapp.identity_provider.token or ""
        # What a kernel finds without asking the server is what the server has.
        os.environ[ENV_DATA_DIR] = str(self.host.settings.data_dir)
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, self.host.open)
        self._activity = PeriodicCallback(self._note_activity, ACTIVITY_MS)
        self._activity.start()

    async def _note_activity(self) -> None:
        """Count running jobs as activity, so that an idle culler leaves the server alone."""
        if await self.host.busy() and self.serverapp is not None:
            from jupyter_server._tz import utcnow

            self.serverapp.web_app.settings["last_activity_times"]["mistudio_ext"] = utcnow()

    async def stop_extension(self) -> None:
        """Close the studio; workers go on."""
        if hasattr(self, "_activity"):
            self._activity.stop()
        await asyncio.get_running_loop().run_in_executor(None, self.host.close)


def server_url(serverapp: Any) -> str:
    """Return the address at which a kernel on this machine reaches the server."""
    scheme = "https" if serverapp.certfile else "http"
    ip = serverapp.ip
    if ip in ("", "0.0.0.0", "::", "*", "localhost"):
        ip = "127.0.0.1"
    address = f"[{ip}]" if ":" in ip else ip
    return f"{scheme}://{address}:{serverapp.port}" + url_path_join("/", serverapp.base_url)
