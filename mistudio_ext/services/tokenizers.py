"""Where the tokenizer of a tokenization is: a registered model, or a folder of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mistudio_ext.catalog import JobRecord, ModelRecord, TokenizationRecord
from mistudio_ext.errors import ConflictError, InvalidInputError, from_dict
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json, text_of
from mistudio_ext.store.files import TOKENIZER_FILES

KIND = "tokenizer.read"

#: Before what a user waits for in the background.
PRIORITY = 10


@dataclass(frozen=True)
class TokenizerSource:
    """A tokenizer: that of ``model``, or that in the folder ``path``."""

    model: ModelRecord | None
    path: str | None = None
    fingerprint: str | None = None

    @property
    def key(self) -> str:
        """What is the same for tokenizers that give the same ids."""
        if self.model is None:
            return f"folder-{self.fingerprint}"
        return self.model.tokenizer_fingerprint or self.model.id

    @property
    def context(self) -> int | None:
        """Longest context of the model, where it is known."""
        return None if self.model is None else self.model.context

    @property
    def known(self) -> bool:
        """Whether all about it is known; not so for a model that is on its way."""
        return self.model is None or self.model.state == "ready"

    @property
    def job_id(self) -> str | None:
        """The job to wait for."""
        return None if self.known or self.model is None else self.model.job_id

    def to_record(self) -> Json | None:
        """Return what a tokenization keeps of a folder."""
        return None if self.model else {"path": self.path, "fingerprint": self.fingerprint}

    def to_spec(self) -> Json:
        """Return what the worker is handed."""
        if self.model is not None:
            return {
                "id": self.model.id,
                "name": self.model.name,
                "path": self.model.path,
                "tokenizer_fingerprint": self.model.tokenizer_fingerprint,
            }
        return {
            "id": None,
            "name": Path(str(self.path)).name,
            "path": self.path,
            "tokenizer_fingerprint": self.fingerprint,
        }


class Tokenizers:
    """Finds tokenizers, and reads folders of them for previews."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                fail=lambda _job, _state, _error: self._context.sweep(),
                environment=context.worker_environment,
            )
        )

    def asked_for(self, body: Json) -> TokenizerSource:
        """Return the tokenizer that a request names by ``model`` or ``tokenizer``.

        Raises
        ------
        InvalidInputError
            If it names none, both, or a folder without a tokenizer.
        """
        model, folder = text_of(body, "model"), text_of(body, "tokenizer")
        if model and folder:
            raise InvalidInputError(
                "A request names a model or a tokenizer folder, not both.",
                code="two_tokenizers",
                field="tokenizer",
            )
        if folder:
            return self._folder(folder)
        if model is None:
            raise InvalidInputError(
                "A model is needed for its tokenizer.",
                code="model_missing",
                field="model",
                hint="Name a registered model, or the folder of a tokenizer.",
            )
        return TokenizerSource(self._context.catalog.models.get(model))

    def of(self, record: TokenizationRecord) -> TokenizerSource:
        """Return the tokenizer of a tokenization; NotFoundError if its model is gone."""
        if record.tokenizer is not None:
            return TokenizerSource(None, record.tokenizer["path"], record.tokenizer["fingerprint"])
        return TokenizerSource(self._context.catalog.models.get(str(record.model_id)))

    def preview_folder(self, source: TokenizerSource) -> Path:
        """Return the folder that previews open; a tokenizer folder is read first, once.

        Raises
        ------
        ConflictError
            If the model is not ready.
        MiStudioError
            Why the folder cannot be read.
        """
        folder = self._context.settings.folder
        if source.model is not None:
            if source.model.state != "ready":
                raise ConflictError(
                    f"'{source.model.name}' is not ready: it is {source.model.state}.",
                    code="model_not_ready",
                    field="model",
                )
            return folder.model(source.model.parent_id or source.model.id)
        target = folder.tokenizer(str(source.fingerprint))
        if not (target / "tokenizer_facts.json").is_file():
            self._read(source)
        return target

    def _folder(self, text: str) -> TokenizerSource:
        path = self._context.local_path(text, "tokenizer")
        files = [path / name for name in TOKENIZER_FILES if (path / name).is_file()]
        if not files:
            raise InvalidInputError(
                f"There is no tokenizer in '{text}'.",
                code="no_tokenizer",
                field="tokenizer",
                hint="Choose a folder with a tokenizer.json, or one that save_pretrained wrote.",
            )
        digest = hashlib.blake2b(digest_size=8)
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return TokenizerSource(None, str(path), digest.hexdigest())

    def _read(self, source: TokenizerSource) -> None:
        jobs = self._context.jobs
        key = str(source.fingerprint)
        job = self._context.submit_once(
            KIND,
            ("tokenizer", key, Path(str(source.path)).name),
            {"path": source.path, "fingerprint": key},
            priority=PRIORITY,
        )
        while (job := jobs.wait(job.id)).state in ("queued", "running"):
            pass
        if job.state != "done":
            unread = {"code": "broken_tokenizer", "message": "The tokenizer was not read."}
            error = {**unread, "field": "tokenizer", **(job.error or {})}
            # A full disk or memory is no fault of the request.
            ours = error["code"] in ("no_space", "quota_exceeded", "out_of_memory")
            raise from_dict(error, None if ours else InvalidInputError)

    def _prepare(self, job: JobRecord) -> Json:
        return self._context.worker_spec(tokenizer=job.params)
