"""Fetch one file over HTTP, going on where it broke off, and check what arrived."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mistudio_ext.errors import HubError

if TYPE_CHECKING:
    import httpx2

    from mistudio_ext.workers.reporter import Reporter

#: Attempts in a row that may bring nothing new, and the wait before the first of them.
RETRIES = 3
BACKOFF_S = 1.0

#: Longest wait that the Hub may ask for.
LONGEST_WAIT_S = 60.0

#: Seconds without a byte after which a connection counts as broken.
STALL_S = 15.0


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository.

    Attributes
    ----------
    path
        Its name in the repository.
    size
        Bytes.
    etag
        The Hub's id of its content: SHA-256 for large files, else git's blob id.
    large
        Whether it is stored as a large file.
    """

    path: str
    size: int
    etag: str
    large: bool

    def hasher(self) -> Any:
        """Return a hash object whose hex digest must become ``etag``."""
        if self.large:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


class ByteCounter:
    """Adds up bytes over all files."""

    def __init__(self, report: Reporter, done: int, total: int) -> None:
        self.report = report
        self.done = done
        self.total = total

    def add(self, n_bytes: int, message: str = "") -> None:
        """Count bytes that arrived; raises CancelledError when the job was cancelled."""
        self.done += n_bytes
        self.report.progress(self.done, self.total, "bytes", message)


class Download:
    """One file on its way, over as many connections as it takes.

    Parameters
    ----------
    url, headers
        Where it is.
    file
        What it must be.
    part
        File that it grows in; what an earlier process left there is taken over.
    counter
        Told about each byte.
    room
        Asked before bytes are written; raises where they do not fit.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        file: RemoteFile,
        part: Path,
        counter: ByteCounter,
        room: Callable[[int], None],
    ) -> None:
        self._url = url
        self._headers = headers
        self._file = file
        self._part = part
        self._counter = counter
        self._room = room
        self._hash = file.hasher()
        self._size = 0

    def run(self) -> None:
        """Bring the whole file, checked."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        with self._part.open("ab+") as out:
            self._take_over(out)
            failures = spoilt = 0
            while True:
                before = self._size
                error: Exception | None = None
                try:
                    if self._size < self._file.size or not self._file.size:
                        self._receive(out)
                except (httpx2.TransportError, HfHubHTTPError) as caught:
                    if not may_pass(caught):
                        raise
                    error = caught
                if self._size >= self._file.size:
                    if self._hash.hexdigest() == self._file.etag:
                        break
                    spoilt += 1
                    self._restart(out)
                    if spoilt == 2:
                        raise self._corrupt()
                    continue
                failures = 0 if self._size > before else failures + 1
                if failures >= RETRIES:
                    raise error or HubError(
                        f"The Hub ended {self._file.path} early, again and again.",
                        hint="Try again later; what was downloaded is kept.",
                    )
                self._wait(wait_s(max(0, failures - 1), error))
            out.flush()
            os.fsync(out.fileno())

    def _take_over(self, out: IO[bytes]) -> None:
        """Go on with what an earlier process left."""
        out.seek(0)
        while block := out.read(1 << 22):
            self._hash.update(block)
            self._size += len(block)
            self._counter.report.check_cancelled()
        self._counter.add(self._size, self._file.path)
        if self._size > self._file.size:
            self._restart(out)

    def _restart(self, out: IO[bytes]) -> None:
        self._counter.done -= self._size
        self._size = 0
        self._hash = self._file.hasher()
        out.seek(0)
        out.truncate()

    def _receive(self, out: IO[bytes]) -> None:
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            get_session,
            hf_raise_for_status,
        )

        headers = dict(self._headers)
        if self._size:
            headers["Range"] = f"bytes={self._size}-"
        with get_session().stream(
            "GET",
            self._url,
            headers=headers,
            follow_redirects=True,
            timeout=STALL_S,
        ) as response:
            if response.status_code == 416:
                self._restart(out)
                return
            if response.status_code >= 400:
                response.read()
                hf_raise_for_status(response)
            if self._size and not _continues(response, self._size):
                self._restart(out)
            for chunk in response.iter_bytes():
                self._room(len(chunk))
                out.write(chunk)
                self._hash.update(chunk)
                self._size += len(chunk)
                self._counter.add(len(chunk), self._file.path)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._counter.report.check_cancelled()
            time.sleep(min(left, 0.1))

    def _corrupt(self) -> HubError:
        return HubError(
            f"{self._file.path} arrived damaged twice.",
            code="corrupt_download",
            hint="A proxy may change files on their way; try another network.",
        )


def _continues(response: httpx2.Response, start: int) -> bool:
    """Return whether the answer begins where we left off, byte for byte."""
    begins = str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-")
    return response.status_code == 206 and begins and "Content-Encoding" not in response.headers


def wait_s(failures: int, error: Exception | None) -> float:
    """Return the seconds to wait after some failures in a row: at least what the Hub asks for."""
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    least = min(float(asked), LONGEST_WAIT_S) if asked.isdigit() else 0.0
    return max(least, BACKOFF_S * 2.0**failures)


def may_pass(error: Exception) -> bool:
    """Return whether it may go better the next time."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    return isinstance(error, httpx2.TransportError)


class FileLocked:
    """Hold the lock that ``huggingface_hub`` would take for the same file."""

    def __init__(self, path: Path, counter: ByteCounter) -> None:
        self._path = path
        self._counter = counter

    def __enter__(self) -> None:
        from filelock import FileLock, Timeout

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._path)
        while True:
            try:
                self._lock.acquire(timeout=0.5)
                return
            except Timeout:
                self._counter.add(0, "Waiting for another download of the same file")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
