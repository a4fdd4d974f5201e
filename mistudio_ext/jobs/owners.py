"""Who watches which job: every manager holds a lock that dies with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class Owners:
    """Locks below ``<data>/jobs/.owners``; a free lock means that its owner is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._mine = self._open(self.me)
        self._try_lock(self._mine)

    def alive(self, owner: str | None) -> bool:
        """Tell whether the manager of this name still runs somewhere."""
        if owner == self.me:
            return True
        if owner is None or not (self._folder / owner).exists():
            return False
        with self._open(owner) as file:
            if not self._try_lock(file):
                return True
        (self._folder / owner).unlink(missing_ok=True)
        return False

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock under which jobs are taken, so that limits hold for all managers."""
        with self._open(".dispatch") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Give everything up: another manager may adopt what still runs."""
        (self._folder / self.me).unlink(missing_ok=True)
        self._mine.close()

    def _open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("ab")

    @staticmethod
    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
