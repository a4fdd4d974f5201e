"""Who keeps the catalog and runs the jobs: a Jupyter server, or a studio in this process."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mistudio_ext.client.rest import RestClient
from mistudio_ext.client.server import ServerAddress, find_server
from mistudio_ext.errors import ServerError
from mistudio_ext.paths import ENV_DATA_DIR, default_data_dir

if TYPE_CHECKING:
    from mistudio_ext.studio import Studio

Json = dict[str, Any]


class Backend(Protocol):
    """What the notebook asks of either."""

    def create(self, body: Json) -> Json:
        """Start an extraction and return its record."""

    def extractions(self) -> list[Json]:
        """Return all extractions' records, newest first."""

    def extraction(self, extraction_id: str) -> Json:
        """Return one extraction's record."""

    def job(self, job_id: str) -> Json:
        """Return one job's record."""

    def cancel(self, job_id: str) -> None:
        """Ask for a job to end."""


class ServerBackend:
    """The server extension, over REST.

    Parameters
    ----------
    address
        The Jupyter server.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.client = RestClient(address)

    def create(self, body: Json) -> Json:
        """Start an extraction and return its record."""
        record: Json = self.client.post("extractions", body)["extraction"]
        return record

    def extractions(self) -> list[Json]:
        """Return all extractions' records, newest first."""
        records: list[Json] = self.client.get("extractions")["extractions"]
        return records

    def extraction(self, extraction_id: str) -> Json:
        """Return one extraction's record."""
        return self.client.get(f"extractions/{extraction_id}")

    def job(self, job_id: str) -> Json:
        """Return one job's record."""
        return self.client.get(f"jobs/{job_id}")

    def cancel(self, job_id: str) -> None:
        """Ask for a job to end."""
        self.client.post(f"jobs/{job_id}/cancel", {})


class LocalBackend:
    """A studio in this process; its jobs are worker processes all the same.

    Parameters
    ----------
    studio
        The studio.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def create(self, body: Json) -> Json:
        """Start an extraction and return its record."""
        record: Json = self.studio.extractions.create(body)[0]
        return record

    def extractions(self) -> list[Json]:
        """Return all extractions' records, newest first."""
        return self.studio.extractions.list()

    def extraction(self, extraction_id: str) -> Json:
        """Return one extraction's record."""
        return self.studio.extractions.get(extraction_id)

    def job(self, job_id: str) -> Json:
        """Return one job's record."""
        return self.studio.jobs.view(self.studio.jobs.get(job_id))

    def cancel(self, job_id: str) -> None:
        """Ask for a job to end."""
        self.studio.jobs.cancel(job_id)


class JobSource:
    """What a handle asks about its own extraction.

    Parameters
    ----------
    backend
        Who runs it.
    extraction_id
        Its id.
    """

    def __init__(self, backend: Backend, extraction_id: str) -> None:
        self._backend = backend
        self._id = extraction_id
        self._job_id: str | None = None

    def extraction(self) -> Json:
        """Return the extraction's record."""
        record = self._backend.extraction(self._id)
        self._job_id = record.get("job_id")
        return record

    def job(self) -> Json | None:
        """Return the job that works on it, or the one that it waits for."""
        if self._job_id is None:
            return None
        job = self._backend.job(self._job_id)
        if job.get("state") == "queued":
            for other in job.get("depends_on") or ():
                awaited = self._backend.job(other)
                if awaited.get("state") == "running":
                    return awaited
        return job

    def cancel(self) -> None:
        """Ask for the job to end."""
        self.extraction()
        if self._job_id is not None:
            self._backend.cancel(self._job_id)


_studios: dict[tuple[int, Path], Studio] = {}
_lock = threading.Lock()


def server_backend() -> ServerBackend | None:
    """Return the server extension of the server that started this kernel, if there is one.

    Raises
    ------
    ServerError
        If the extension said that it is there, but cannot be reached.
    """
    address = find_server()
    if address is None:
        return None
    backend = ServerBackend(address)
    if not address.certain:
        try:
            backend.client.get("system")
        except ServerError:
            return None  # A Jupyter server in which miStudio is not enabled.
    return backend


def local_backend() -> LocalBackend:
    """Return the studio of this process, opened at the first call and closed at exit."""
    from mistudio_ext.settings import from_config_files
    from mistudio_ext.studio import Studio

    settings = from_config_files()
    key = (os.getpid(), settings.data_dir)
    with _lock:
        if key not in _studios:
            _studios[key] = studio = Studio.open(settings)
            atexit.register(studio.close)
        return LocalBackend(_studios[key])


def open_local_backend() -> LocalBackend | None:
    """Return the studio of this process if it is open already."""
    with _lock:
        studio = _studios.get((os.getpid(), data_dir()))
    return None if studio is None else LocalBackend(studio)


def data_dir() -> Path:
    """Return the data folder without a server: environment, Jupyter's config files, default."""
    if os.environ.get(ENV_DATA_DIR):
        return default_data_dir()
    from mistudio_ext.settings import from_config_files

    return from_config_files().data_dir
