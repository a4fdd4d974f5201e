"""A tokenization as a folder that ``datasets`` opens, padded as ``datasets`` pads."""

from __future__ import annotations

from mistudio_ext.catalog import JobRecord, TokenizationRecord
from mistudio_ext.errors import ConflictError, InvalidInputError, NotFoundError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.fields import only_known

KIND = "tokenization.export"

_PADDINGS = ("max_length", "none")


class ExportService:
    """Writes tokenizations for programs that read ``save_to_disk`` folders.

    An export lies in the tokenization's own folder and goes with it.
    """

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

    def start(self, dataset_id: str, tokenization_id: str, body: Json) -> Json:
        """Export a tokenization: ``{padding?: max_length|none}``.

        Returns
        -------
        dict
            ``{"job", "path"}``; the folder is there when the job is done.
        """
        only_known(body, "padding")
        padding = body.get("padding", "max_length")
        if padding not in _PADDINGS:
            raise InvalidInputError(
                f"padding cannot be {padding!r}.",
                code="bad_padding",
                field="padding",
                hint=f"Choose one of {', '.join(_PADDINGS)}.",
            )
        record = self._require(dataset_id, tokenization_id)
        dataset = self._context.catalog.datasets.get(dataset_id)
        job = self._context.jobs.submit(
            KIND,
            ("tokenization", record.id, f"{dataset.name} / {record.split}"),
            {"tokenization": record.id, "dataset": dataset_id, "padding": padding},
        )
        path = self._context.settings.folder.tokenization(record.id) / f"export-{padding}"
        return {"job": self._context.jobs.view(job), "path": str(path)}

    def _require(self, dataset_id: str, tokenization_id: str) -> TokenizationRecord:
        record = self._context.catalog.tokenizations.get(tokenization_id)
        if record.dataset_id != dataset_id:
            raise NotFoundError(
                f"Dataset '{dataset_id}' has no tokenization '{tokenization_id}'.",
                code="no_such_tokenization",
            )
        if record.state != "ready":
            raise ConflictError(
                f"The tokenization is not ready: it is {record.state}.",
                code="tokenization_not_ready",
                hint="Wait for its job to end, or look at the job's error.",
            )
        return record

    def _prepare(self, job: JobRecord) -> Json:
        record = self._require(job.params["dataset"], job.params["tokenization"])
        folder = self._context.settings.folder.tokenization(record.id)
        padding = job.params["padding"]
        return self._context.worker_spec(
            tokenization={"id": record.id, "path": str(folder)},
            padding=padding,
            path=str(folder / f"export-{padding}"),
        )
