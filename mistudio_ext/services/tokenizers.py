"""Where the tokenizer of a tokenization is: a registered model, or a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mistudio_ext import model_files
from mistudio_ext.activations import kept_tokenizers
from mistudio_ext.catalog import JobRecord, ModelRecord, TokenizationRecord
from mistudio_ext.errors import ConflictError, InvalidInputError, from_dict
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json, text_of
from mistudio_ext.services.models import ModelService
from mistudio_ext.store.preview import is_current
from mistudio_ext.store.tokens import Tokenization

KIND = "tokenizer.read"

#: Before what a user waits for in the background.
PRIORITY = 10


@dataclass(frozen=True)
class TokenizerSource:
    """A tokenizer: that of ``model``, or that in the folder ``path``."""

    model: ModelRecord | None
    path: str | None = None
    fingerprint: str | None = None
    #: What is known of the files in ``path``, as :func:`model_files.same` takes it.
    files: Json | None = None

    @property
    def key(self) -> str:
        """What is the same for tokenizers that give the same ids."""
        if self.model is None:
            return f"folder-{self.fingerprint}"
        if self.model.tokenizer_fingerprint is None:
            return self.model.id
        # The family counts too: by it transformers chooses the class of some tokenizers.
        return f"{self.model.tokenizer_fingerprint}-{self.model.family}"

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
        if self.model:
            return None
        return {"path": self.path, "fingerprint": self.fingerprint, "files": self.files}

    def to_spec(self) -> Json:
        """Return what the worker is handed."""
        if self.model is not None:
            return {
                "id": self.model.id,
                "name": self.model.name,
                "path": self.model.path,
                "tokenizer_fingerprint": self.model.tokenizer_fingerprint,
                "files": model_files.tokenizer_of(
                    self.model.files, self.model.tokenizer_fingerprint
                ),
            }
        return {
            "id": None,
            "name": Path(str(self.path)).name,
            "path": self.path,
            "tokenizer_fingerprint": self.fingerprint,
            "files": self.files,
        }


class Tokenizers:
    """Finds tokenizers, and reads folders of them for previews."""

    def __init__(self, context: Context, models: ModelService) -> None:
        self._context = context
        self._models = models
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

        A model whose files have changed is read anew first; see :meth:`ModelService.current`.

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
        found = self._context.catalog.models.get(model)
        root = self._context.catalog.models.get(found.parent_id) if found.parent_id else found
        now = self._models.current(root)
        # A variant reads with the tokenizer of its model.
        return TokenizerSource(found if now is root else now)

    def of(self, record: TokenizationRecord) -> TokenizerSource:
        """Return the tokenizer of a tokenization; NotFoundError if its model is gone."""
        if record.tokenizer is not None:
            known = record.tokenizer
            return TokenizerSource(None, known["path"], known["fingerprint"], known.get("files"))
        return TokenizerSource(self._context.catalog.models.get(str(record.model_id)))

    def kept(self, record: TokenizationRecord) -> Path | None:
        """Return what is kept of the tokenizer that made these ids; None if nothing is.

        Raises
        ------
        MiStudioError
            If its model is gone or not ready, or its folder cannot be read.
        """
        folder = self.preview_folder(self.of(record))
        if record.tokenizer is not None:
            return folder
        path = self._context.settings.folder.tokenization(record.id)
        made_by = Tokenization(path).manifest["model"].get("tokenizer_fingerprint")
        return kept_tokenizers.find(folder, made_by)

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
                    hint="Wait for its job to end, or look at the job's error.",
                )
            return folder.model(source.model.parent_id or source.model.id)
        target = folder.tokenizer(str(source.fingerprint))
        if not is_current(target):
            self._read(source)
        return target

    def _folder(self, text: str) -> TokenizerSource:
        path = self._context.local_path(text, "tokenizer")
        files = model_files.tokenizer_in(path)
        if not files["names"]:
            raise InvalidInputError(
                f"There is no tokenizer in '{text}'.",
                code="no_tokenizer",
                field="tokenizer",
                hint="Choose a folder with a tokenizer.json, or one that save_pretrained wrote.",
            )
        return TokenizerSource(None, str(path), files["fingerprint"], files)

    def _read(self, source: TokenizerSource) -> None:
        jobs = self._context.jobs
        key = str(source.fingerprint)
        job = self._context.submit_once(
            KIND,
            ("tokenizer", key, Path(str(source.path)).name),
            {"path": source.path, "fingerprint": key, "files": source.files},
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
