"""What every service is given, and what all of them do alike."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from mistudio_ext.catalog import Catalog, DatasetRecord, JobRecord, ModelRecord
from mistudio_ext.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidInputError,
    MiStudioError,
    NotFoundError,
)
from mistudio_ext.jobs import EventBus, JobManager
from mistudio_ext.room import DiskLimits
from mistudio_ext.room import human as human
from mistudio_ext.services.disk_use import disk_use
from mistudio_ext.settings import Settings
from mistudio_ext.spec import fingerprint
from mistudio_ext.store.leftovers import sweep

Json = dict[str, Any]
audit = logging.getLogger("mistudio_ext.audit")

#: Versions of what workers are handed.
SPEC_VERSION = 1


@dataclass(frozen=True)
class Context:
    """Settings, catalog, jobs and events, as the services share them."""

    settings: Settings
    catalog: Catalog
    jobs: JobManager
    bus: EventBus
    #: Held while something is looked for and, if it is not there, added.
    creating: threading.RLock = field(default_factory=threading.RLock)

    def worker_spec(self, *, needs_bytes: int = 0, **parts: Any) -> Json:
        """Return a worker's spec: what all kinds have, and the parts of one kind.

        Raises
        ------
        NoSpaceError
            If ``needs_bytes`` fit into the disk or the quota no more, so that no
            job begins that cannot end.
        """
        limits = self.disk_limits()
        limits.check("The job", needs_bytes, free_bytes(self.settings.data_dir))
        return {
            "schema_version": SPEC_VERSION,
            "data_dir": str(self.settings.data_dir),
            **limits.to_dict(),
            "allow_remote_code": False,
            "allow_pickle": self.settings.allow_pickle,
            "threads": self.settings.engine_options.get("threads"),
            **parts,
        }

    def may_run_code(self, model: ModelRecord | None) -> bool:
        """Tell whether code that a model brings may run: allowed, and ticked for this revision."""
        ticked = model is not None and bool(model.request.get("trust_remote_code"))
        return self.settings.allow_remote_code and ticked

    def submit_once(
        self, kind: str, target: tuple[str, str, str], params: Json, *, priority: int = 0
    ) -> JobRecord:
        """Return the job of this kind that does just this already, or a new one."""
        with self.creating:
            active = self.jobs.all(kind=kind, target_id=target[1], state=("queued", "running"))
            active = [job for job in active if job.params == params]
            return (
                active[0] if active else self.jobs.submit(kind, target, params, priority=priority)
            )

    def ready_dataset(self, dataset_id: str) -> DatasetRecord:
        """Return a dataset that can be read; ConflictError while it cannot."""
        record = self.catalog.datasets.get(dataset_id)
        if record.state != "ready":
            raise ConflictError(
                f"'{record.name}' is not ready: it is {record.state}.",
                code="dataset_not_ready",
                hint="Wait for its job to end, or look at the job's error.",
            )
        return record

    def disk_limits(self) -> DiskLimits:
        """Return reserve and quota, with what is used of the quota now."""
        quota = self.settings.quota_bytes
        used = self.used_bytes() if quota else 0
        return DiskLimits(self.settings.disk_reserve_bytes, quota, used)

    def used_bytes(self) -> int:
        """Return what counts against the quota: the data folder and downloaded models."""
        downloads = {
            model.path: model.size_bytes or 0
            for model in self.catalog.models.list(state="ready")
            if model.in_hf_cache
        }
        return folder_bytes(self.settings.data_dir) + sum(downloads.values())

    def require_room(self, what: str, n_bytes: int) -> None:
        """Raise NoSpaceError unless so many bytes fit into the disk and the quota."""
        self.disk_limits().check(what, n_bytes, free_bytes(self.settings.data_dir))

    def shared_model(self, repo_id: str) -> Path | None:
        """Return a repository's folder among the models that all users share, if it is there."""
        for root in self.settings.shared_model_dirs:
            if (root / repo_id / "config.json").is_file():
                return root / repo_id
        return None

    def worker_environment(self, _job: JobRecord | None = None) -> dict[str, str]:
        """Return the environment variables that every worker gets."""
        environment = {
            # Xet swallows the exceptions by which a download is cancelled.
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TOKENIZERS_PARALLELISM": "true",
            # Threads that wait must sleep: beside a browser and a kernel on the same cores,
            # spinning ones made a forward pass three to six times slower on two cores.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        }
        if self.settings.hub_endpoint:
            environment["HF_ENDPOINT"] = self.settings.hub_endpoint
        return environment

    def sweep(self) -> None:
        """Remove what killed workers left half-made; what a living one works on stays."""
        for name in sweep(self.settings.folder.temporary):
            audit.info("removed %s, which a worker left half-made", name)
        for part in ("datasets", "models", "tokenizations", "activations"):
            for doomed in (self.settings.data_dir / part).glob("*.deleting"):
                shutil.rmtree(doomed, ignore_errors=True)

    def active(self, job_id: str | None) -> bool:
        """Tell whether this job is queued or running."""
        job = self.catalog.jobs.find(id=job_id) if job_id else None
        return job is not None and job.state in ("queued", "running")

    def local_path(self, text: Any, field: str = "path") -> Path:
        """Return an existing path that the settings allow to read.

        Raises
        ------
        InvalidInputError
            If it is not a path.
        NotFoundError
            If there is nothing.
        AccessDeniedError
            If it lies outside ``allow_paths``.
        """
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            raise InvalidInputError("A path is needed.", code="path_missing", field=field)
        path = Path(text.strip()).expanduser().resolve()
        allowed = [root.resolve() for root in self.settings.allow_paths]
        shared = [root.resolve() for root in self.settings.shared_model_dirs]
        if allowed and not any(path.is_relative_to(root) for root in [*allowed, *shared]):
            raise AccessDeniedError(
                f"'{text}' may not be read here.",
                code="path_not_allowed",
                field=field,
                hint="The administrator allows " + ", ".join(map(str, allowed)) + ".",
            )
        if not path.exists():
            raise NotFoundError(
                f"There is nothing at '{text}'.",
                code="no_such_path",
                field=field,
                hint="Check the path; it is looked up on the machine where Jupyter runs.",
            )
        if not os.access(path, os.R_OK):
            raise AccessDeniedError(
                f"'{text}' cannot be read.",
                code="path_not_readable",
                field=field,
                hint="Ask its owner for permission to read it.",
            )
        return path


@lru_cache(maxsize=8)
def content(folder: Path) -> str:
    """Return what the files of a folder have in common with the same files elsewhere."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = [[str(f.relative_to(folder)), sha256(f.read_bytes()).hexdigest()] for f in files]
    return fingerprint({"files": facts})


def text_of(body: Json, name: str) -> str | None:
    """Return a text field of a request, None where it is absent or empty."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} must be text.", code="bad_text", field=name)
    return value.strip() or None


def free_name(find: Callable[..., Any], wanted: str) -> str:
    """Return the wanted name, or the first of ``name-2``, ``name-3``, … that nothing has."""
    name, number = wanted, 2
    while find(name=name) is not None:
        name, number = f"{wanted}-{number}", number + 1
    return name


def new_name(find: Callable[..., Any], row_id: str, noun: str, name: Any) -> str:
    """Return a name that a row may be given; ConflictError if another one has it."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidInputError("A name is needed.", code="name_missing", field="name")
    other = find(name=name.strip())
    if other is not None and other.id != row_id:
        raise ConflictError(
            f"There is already a {noun} '{name.strip()}'.",
            code="name_taken",
            field="name",
            hint=f"Choose another name, for example '{free_name(find, name.strip())}'.",
        )
    return name.strip()


def delete_each(delete: Callable[[str], Json], ids: Iterable[str]) -> Json:
    """Delete one by one; what cannot be deleted is named, the rest is deleted.

    Returns
    -------
    dict
        ``{"deleted": [ids], "freed_bytes": int, "failed": [{"id", code, message, …}]}``.
    """
    deleted: list[str] = []
    failed: list[Json] = []
    freed = 0
    for row_id in dict.fromkeys(ids):
        try:
            gone = delete(row_id)
        except MiStudioError as error:
            failed.append({"id": row_id, **error.to_dict()})
        else:
            deleted += gone["deleted"]
            freed += gone["freed_bytes"]
    return {"deleted": deleted, "freed_bytes": freed, "failed": failed}


def folder_bytes(path: Path) -> int:
    """Return how many bytes the files below a folder take on the disk."""
    return disk_use(path).total


def remove_folder(path: Path) -> int:
    """Delete a folder of ours and return the bytes that are free now.

    What the system does not let go is left to ``system/leftovers`` and said in the log, so that
    the record of the folder can go all the same.
    """
    freed = disk_use(path).own
    if not path.exists():
        return freed
    # A rename first: what is half deleted is no longer found under its name.
    doomed = path.with_name(path.name + ".deleting")
    path.rename(doomed)
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        left = disk_use(doomed).own
        audit.warning("%s cannot be removed whole, %d bytes are left: %s", doomed, left, error)
        return max(0, freed - left)
    return freed


def free_bytes(path: Path) -> int:
    """Return the free bytes on the disk that holds a path (or would hold it)."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
