"""A job's folder: spec, events, log and result."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mistudio_ext import logs
from mistudio_ext.disk.atomic import write_whole
from mistudio_ext.disk.full import is_full
from mistudio_ext.disk.spare import drop_spare, make_spare, reserve
from mistudio_ext.errors import ConflictError

Json = dict[str, Any]

#: Bytes kept on the disk for a result that says why a job failed, and for the log's last lines.
SPARE_BYTES = LOG_BYTES = 64 << 10


class JobFolder:
    """Files through which server and worker speak.

    Parameters
    ----------
    path
        The folder; made when the spec is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """Standard output and error of the worker."""
        return self.path / "log.txt"

    @property
    def place(self) -> int | None:
        """The job's place in the line for devices, for a manager that takes the job over."""
        kept = read_json(self.path / "place.json")
        return None if kept is None else int(kept["number"])

    def keep_place(self, number: int | None) -> None:
        """Note the job's place in the line; None when it has left it."""
        if number is None:
            (self.path / "place.json").unlink(missing_ok=True)
        elif number != self.place:
            try:
                self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_json(self.path / "place.json", {"number": number})
            except OSError as error:
                if not is_full(error):
                    raise  # On a full disk the next manager puts the job at the end of the line.

    def clear(self) -> None:
        """Make the folder ready for a new attempt; only the log goes on.

        Room for the attempt's end is reserved: a full disk is met now, or does not matter then.

        Raises
        ------
        OSError
            If the disk has no room for that.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("result.json", "process.json", "events.jsonl"):
            (self.path / name).unlink(missing_ok=True)
        make_spare(self._result, SPARE_BYTES)
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            reserve(fd, LOG_BYTES)
        finally:
            os.close(fd)

    def settled(self) -> None:
        """Give back what was reserved for the job's end."""
        with contextlib.suppress(OSError):
            drop_spare(self._result)
            os.truncate(self.log, self.log.stat().st_size)

    def write_spec(self, spec: Json) -> None:
        """Write what the worker is handed."""
        write_json(self.path / "spec.json", spec)

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Yield a locked descriptor for the worker; the kernel frees it with the process.

        Raises
        ------
        ConflictError
            If a worker of an earlier attempt still lives.
        """
        fd = self._open_lock()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield fd
        except BlockingIOError as error:
            raise ConflictError(
                "A worker of an earlier attempt is still running.",
                code="worker_still_running",
                hint="Wait a moment, then retry.",
            ) from error
        finally:
            os.close(fd)

    def worker_lives(self) -> bool:
        """Tell whether a worker holds the folder, whoever started it."""
        if not self.path.exists():
            return False
        fd = self._open_lock()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def _open_lock(self) -> int:
        return os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)

    def result(self) -> Json | None:
        """Return the worker's result, None if it left none."""
        return read_json(self._result)

    @property
    def _result(self) -> Path:
        return self.path / "result.json"

    def process(self) -> Json | None:
        """Return what identifies the worker's process."""
        return read_json(self.path / "process.json")

    def log_bytes(self) -> int:
        """Return the size of the log."""
        return self.log.stat().st_size if self.log.exists() else 0

    def log_from(self, offset: int, limit: int = 1 << 20) -> tuple[str, int, int]:
        """Return a piece of the log, the offset at which it begins, and the one after it.

        A log that was cut meanwhile begins anew, at 0. A character that is not yet whole
        waits for the next call.
        """
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                start = offset if 0 <= offset <= size else 0
                file.seek(start)
                data = file.read(limit)
        except FileNotFoundError:
            return "", 0, 0
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        unread, _ = decoder.getstate()
        return text, start, start + len(data) - len(unread)

    def remove(self) -> int:
        """Delete the folder; return the bytes that it took."""
        freed = sum(file.stat().st_size for file in self.path.glob("*") if file.is_file())
        shutil.rmtree(self.path, ignore_errors=True)
        return freed

    def log_tail(self, lines: int = 20) -> tuple[str, bool]:
        """Return the log's last lines and whether there is more above them."""
        try:
            size = self.log.stat().st_size
            with self.log.open("rb") as file:
                file.seek(max(0, size - lines * 400))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return "", False
        kept = text.splitlines()[-lines:]
        joined = "\n".join(kept)
        return joined, len(joined.encode()) + 1 < size

    def trim_log(self) -> None:
        """Cut an overgrown log."""
        logs.cut(self.log)


class EventTail:
    """Reads the lines that were added to ``events.jsonl`` since the last look."""

    def __init__(self, folder: JobFolder) -> None:
        self._file = folder.path / "events.jsonl"
        self._offset = 0
        self._rest = b""

    def read(self) -> list[Json]:
        """Return the new events; an unfinished last line waits for the next call."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                data = self._rest + file.read()
                self._offset = file.tell()
        except FileNotFoundError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [event for line in lines if (event := _parse(line)) is not None]


def _parse(line: bytes) -> Json | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def read_json(file: Path) -> Json | None:
    """Return the JSON object of a file, None if it is not there or not whole."""
    try:
        return _parse(file.read_bytes())
    except FileNotFoundError:
        return None


def write_json(file: Path, data: Json) -> None:
    """Write a JSON file so that it is there whole or not at all."""
    write_whole(file, json.dumps(data).encode())
