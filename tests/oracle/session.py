"""A data folder of the oracle's own, and the product's public face over it."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.oracle.forks import BREAK, Nursery, forked_workers

#: Variables that would lead away from the oracle's own folders.
_UNSET = ("MISTUDIO_SERVER_URL", "JPY_PARENT_PID", "HF_TOKEN", "MISTUDIO_DB_URL")

#: Seconds that any one job may take.
PATIENCE = 240.0


class Session:
    """Everything that cases share: folders, made models, the studio of this process.

    Parameters
    ----------
    folder
        Where all of it lies.
    nursery
        Where workers are forked; None for processes of their own.
    broken
        Name of what is broken on purpose in the workers; see :mod:`tests.oracle.mutations`.
    """

    def __init__(self, folder: Path, nursery: Nursery | None = None, broken: str = "") -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "data"
        self.kept: dict[Any, Any] = {}
        self.nursery, self._broken = nursery, broken
        #: The Jupyter server of :mod:`tests.oracle.faces`, once there is one.
        self.server: Any = None
        self._count = 0

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """The product's public face works on this session's folder, and prints nothing."""
        own = {
            "MISTUDIO_DATA_DIR": str(self.data_dir),
            "HF_HOME": str(self.folder / "hf-home"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "JUPYTER_CONFIG_DIR": str(self.folder / "jupyter"),
            "MISTUDIO_SERVER_URL": "",
            **({BREAK: self._broken} if self._broken else {}),
        }
        before = {name: os.environ.get(name) for name in (*own, *_UNSET)}
        workers = forked_workers(self.nursery.socket) if self.nursery else contextlib.nullcontext()
        for name in _UNSET:
            os.environ.pop(name, None)
        os.environ.update(own)
        try:
            with workers, contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    @property
    def studio(self) -> Any:
        """The studio that the public face uses, for what Python has no call for but REST has."""
        from mistudio_ext.client.backend import local_backend

        return local_backend().studio

    def place(self, name: str) -> Path:
        """Return a new empty folder."""
        self._count += 1
        made = self.scratch / f"{self._count:05d}-{name}"
        made.mkdir()
        return made

    def forget(self) -> None:
        """Close the studio and empty the folder."""
        self._close()
        self.kept.clear()
        for part in (self.data_dir, self.scratch):
            shutil.rmtree(part, ignore_errors=True)
        self.scratch.mkdir()

    def close(self) -> None:
        """Close the studio; workers that are idle leave."""
        self._close()
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _close(self) -> None:
        from mistudio_ext.client import backend

        studio = backend._studios.pop((os.getpid(), self.data_dir), None)
        if studio is not None:
            atexit.unregister(studio.close)
            studio.close()
