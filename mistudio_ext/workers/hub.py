"""Fetch files of a Hub repository into the standard cache, surviving what networks do.

``huggingface_hub`` starts a file again when its process was killed, and does
not check what arrived. Here a file goes on where it broke off, by an HTTP
Range request, also in a new process; its hash is compared with the Hub's; and
it is put where ``hf_hub_download`` finds it. What has arrived of a file stays
in the cache (``*.mistudio.incomplete``) when a job fails or is cancelled, and
the next job that wants the file goes on with it.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mistudio_ext._version import __version__
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.download import (
    RETRIES,
    STALL_S,
    ByteCounter,
    Download,
    FileLocked,
    RemoteFile,
    may_pass,
    wait_s,
)
from mistudio_ext.workers.hub_errors import bad_answer, translated

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

RepoType = Literal["dataset", "model"]


def cached_snapshot(repo_id: str, kind: RepoType, revision: str | None) -> Path | None:
    """Return the folder in the cache that this revision had when the Hub was last asked."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    storage = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type=kind)
    ref = storage / "refs" / (revision or "main")
    commit = ref.read_text().strip() if ref.is_file() else revision
    folder = storage / "snapshots" / (commit or "main")
    return folder if folder.is_dir() else None


class Repository:
    """A repository at one commit.

    Parameters
    ----------
    repo_id
        ``organisation/name``.
    kind
        ``dataset`` or ``model``.
    revision
        Branch, tag or commit; None for ``main``.
    endpoint
        Address of the Hub; None for the environment's.

    Raises
    ------
    NotFoundError
        ``repo_not_found`` or ``no_such_revision``.
    AccessDeniedError
        ``gated``, ``bad_token`` or ``no_access``.
    HubError
        ``hub_unavailable``.
    """

    def __init__(
        self,
        repo_id: str,
        kind: RepoType,
        revision: str | None = None,
        *,
        endpoint: str | None = None,
    ) -> None:
        from huggingface_hub import HfApi, constants
        from huggingface_hub.file_download import repo_folder_name

        self.repo_id = repo_id
        self.kind = kind
        self.revision = revision or "main"
        self._api = HfApi(
            endpoint=endpoint, library_name="mistudio_ext", library_version=__version__
        )
        with translated(repo_id, revision):
            info = self._ask_info()
        self.repo_id = info.id
        self.commit = str(info.sha)
        self.files: dict[str, RemoteFile] = {}
        for item in info.siblings or ():
            etag = item.lfs.sha256 if item.lfs else item.blob_id
            size = item.lfs.size if item.lfs else item.size
            if etag and size is not None:
                self.files[item.rfilename] = RemoteFile(
                    item.rfilename, size, etag, item.lfs is not None
                )
        name = repo_folder_name(repo_id=repo_id, repo_type=kind)
        self.cache = Path(constants.HF_HUB_CACHE)
        self._storage = self.cache / name
        self._locks = self.cache / ".locks" / name

    @property
    def snapshot(self) -> Path:
        """Folder of this commit's files in the cache."""
        return self._storage / "snapshots" / self.commit

    def fetch(
        self, names: Iterable[str], *, guard: DiskGuard | None = None, report: Reporter
    ) -> Path:
        """Fetch files that are not there yet.

        Parameters
        ----------
        names
            Files of the repository.
        guard
            Watches the disk of the cache.
        report
            Told about bytes; asked whether to go on.

        Returns
        -------
        Path
            The snapshot folder, which has them all.

        Raises
        ------
        NoSpaceError
            If they do not fit.
        HubError
            ``hub_unavailable`` after three attempts that brought nothing,
            ``corrupt_download`` if a file arrives wrong twice.
        """
        wanted = [self.files[name] for name in dict.fromkeys(names)]
        missing = [file for file in wanted if not (self.snapshot / file.path).exists()]
        total = sum(file.size for file in wanted)
        ready = total - sum(file.size for file in missing)
        if guard is not None and missing:
            here = sum(
                self._part(file).stat().st_size for file in missing if self._part(file).is_file()
            )
            guard.require(total - ready - here, f"Downloading {self.repo_id}")
        self._write_ref()
        counter = ByteCounter(report, ready, total)
        for file in missing:
            with translated(self.repo_id, self.revision, self.commit):
                self._fetch_one(file, counter, guard)
        return self.snapshot

    def _ask_info(self) -> Any:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        for attempt in range(RETRIES):
            try:
                return self._api.repo_info(
                    self.repo_id,
                    repo_type=self.kind,
                    revision=None if self.revision == "main" else self.revision,
                    files_metadata=True,
                    timeout=STALL_S,
                )
            except (httpx2.TransportError, HfHubHTTPError) as error:
                if attempt == RETRIES - 1 or not may_pass(error):
                    raise
                pause = wait_s(attempt, error)
            except HFValidationError:
                raise
            except (ValueError, KeyError, TypeError) as error:
                raise bad_answer(self.repo_id) from error
            time.sleep(pause)
        raise AssertionError("the loop returns or raises")

    def _part(self, file: RemoteFile) -> Path:
        return self._storage / "blobs" / f"{file.etag}.mistudio.incomplete"

    def _fetch_one(self, file: RemoteFile, counter: ByteCounter, guard: DiskGuard | None) -> None:
        def room(n_bytes: int) -> None:
            if guard is not None:
                guard.before(n_bytes, f"Downloading {self.repo_id}")

        blob = self._storage / "blobs" / file.etag
        blob.parent.mkdir(parents=True, exist_ok=True)
        with FileLocked(self._locks / f"{file.etag}.lock", counter):
            if not blob.exists():
                part = self._part(file)
                Download(self.url(file), self.headers(), file, part, counter, room).run()
                self._part(file).rename(blob)
            else:
                counter.add(file.size)
            self._link(blob, self.snapshot / file.path)

    def url(self, file: RemoteFile) -> str:
        """Return the address of a file at this commit."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(
            self.repo_id,
            file.path,
            repo_type=self.kind,
            revision=self.commit,
            endpoint=self._api.endpoint,
        )

    def headers(self) -> dict[str, str]:
        """Return request headers, with the token from the environment or the standard place."""
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        headers = build_hf_headers(library_name="mistudio_ext", library_version=__version__)
        return {**headers, "Accept-Encoding": "identity"}

    @staticmethod
    def _link(blob: Path, pointer: Path) -> None:
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.unlink(missing_ok=True)
        try:
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        except OSError:
            shutil.copyfile(blob, pointer)

    def _write_ref(self) -> None:
        if self.revision == self.commit:
            return
        ref = self._storage / "refs" / self.revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        part = ref.with_name(f"{ref.name}.{uuid.uuid4().hex[:8]}.tmp")
        part.write_text(self.commit)
        part.replace(ref)
