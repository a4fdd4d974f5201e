"""Variants: the same weights in another format, sharing the files of the model they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistudio_ext.catalog import JobRecord, ModelRecord, new_id
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.jobs import JobKind, Needs
from mistudio_ext.services import fallback, footprint, model_requests
from mistudio_ext.services.context import Context, Json, free_name, new_name, text_of
from mistudio_ext.services.fields import only_known
from mistudio_ext.services.footprint import PARAMETER_BYTES
from mistudio_ext.services.models import ModelService, facts_of, known_files, require_choice, view
from mistudio_ext.services.names import kept_name, noticed
from mistudio_ext.spec import MODEL_FORMATS, fingerprint

KIND = "model.variant"

#: What a job says of how a variant is made and measured.
_PARAMS = ("candidates", "texts", "device")

#: Limits of the texts on which a variant is compared with its reference.
MAX_TEXTS, MAX_CHARACTERS = 32, 4000


class VariantService:
    """Makes a model's variants and finds those that are there."""

    def __init__(self, context: Context, models: ModelService) -> None:
        self._context = context
        self._catalog = context.catalog.models
        self._models = models
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                environment=context.worker_environment,
                limit=1,
                needs=self._needs,
            )
        )

    def list(self, model_id: str) -> list[Json]:
        """Return all formats of a model's weights: the parent, then its variants."""
        root = self.root(self._catalog.get(model_id))
        variants = self._catalog.list(parent_id=root.id)
        return [view(record) for record in (root, *variants)]

    def root(self, record: ModelRecord) -> ModelRecord:
        """Return the model that owns the files of this one; itself if it is no variant."""
        return self._catalog.get(record.parent_id) if record.parent_id else record

    def create(self, model_id: str, body: Json) -> tuple[Json, Json | None]:
        """Make a variant: ``{format, fallback?, texts?, device?, name?}``.

        Returns
        -------
        tuple
            The variant, and the job that makes it, None if it is there already.
        """
        only_known(body, "format", "fallback", "texts", "device", "name")
        if text_of(body, "format") is None:
            raise InvalidInputError(
                "Choose a format.",
                code="format_missing",
                field="format",
                hint=f"One of {', '.join(MODEL_FORMATS)}.",
            )
        wanted = model_requests.read_format(body)
        params = {
            "candidates": [wanted, *fallback.read(body, wanted)],
            "texts": _texts(body.get("texts")),
            "device": text_of(body, "device") or "auto",
        }
        name = text_of(body, "name")
        record = self._find_or_add(self.current(self._catalog.get(model_id)), wanted, params, name)
        if name:
            new_name(self._catalog.find, record.id, "model", name)  # Another may have it.
        shown = noticed(view(record), kept_name("model", record.name, name))
        jobs = self._context.jobs
        if record.state == "ready" and _to_measure(record, params):
            return shown, jobs.view(self._measure(record, params))
        there = record.state == "ready" or record.job_id is None
        return shown, None if there else jobs.view(jobs.get(str(record.job_id)))

    def ensure(self, record: ModelRecord, wanted: str, smaller: Sequence[str] = ()) -> ModelRecord:
        """Return a model in a format, making the variant if it is not there.

        Parameters
        ----------
        record
            The model, or another variant of it.
        wanted
            The format.
        smaller
            Formats to fall back to, in order, if it does not fit into memory.
        """
        params = {"candidates": [wanted, *smaller], "texts": None, "device": "auto"}
        return self._find_or_add(record, wanted, params, None)

    def current(self, record: ModelRecord) -> ModelRecord:
        """Return a model or variant, brought up to date; see :meth:`ModelService.current`."""
        root = self._models.current(self.root(record))
        if not record.parent_id:
            return root
        same = root.state == "ready" and record.fingerprint == root.fingerprint
        if record.state != "ready" or same:
            return record
        made = self._context.catalog.jobs.find(id=str(record.job_id))
        usual = {"candidates": [record.requested_format or record.format], "texts": None}
        params = {k: v for k, v in (made.params if made else {}).items() if k in _PARAMS}
        with self._context.creating:
            return self._submit(root, record, {**usual, "device": "auto", **params})

    def _measure(self, record: ModelRecord, params: Json) -> JobRecord:
        """Start to measure what is there: registered and not made, or measured in another way."""
        asked = {**params, "candidates": [record.format], "measure": True}
        job = self._context.submit_once(
            KIND, ("model", record.id, record.name), {"model": record.id, **asked}
        )
        self._models.changed(record.id, job_id=job.id)
        return job

    def _find_or_add(
        self, record: ModelRecord, wanted: str, params: Json, name: str | None
    ) -> ModelRecord:
        with self._context.creating:
            root = self.root(record)
            require_choice(root, wanted)
            found = self._find(root, wanted, params["candidates"])
            fallen = self._catalog.find(identity=f"{root.id}/{wanted}")
            if found is None and fallen is not None and fallen.state == "ready":
                # It fell back on a format that is not among those of this request.
                return self._submit(root, fallen, params)
            if found is not None and found.state == "failed" and found.parent_id == root.id:
                # Asked for again, perhaps with formats to fall back to: not the same job.
                return self._submit(root, found, params)
            if found is not None:
                return found
            if root.state == "ready":
                sizes = self._models.architecture(root.id).get("sizes")
                footprint.require(wanted, sizes)
            request = {**root.request, "format": wanted}
            variant = ModelRecord(
                id=new_id("model"),
                name=new_name(self._catalog.find, "", "model", name)
                if name
                else free_name(
                    self._catalog.find, model_requests.in_format_name(root.name, wanted)
                ),
                source=root.source,
                repo_id=root.repo_id,
                revision=root.revision,
                source_path=root.source_path,
                request=request,
                identity=f"{root.id}/{wanted}",
                format=wanted,
                parent_id=root.id,
                path=root.path,
                fingerprint=root.fingerprint,
                tokenizer_fingerprint=root.tokenizer_fingerprint,
            )
            self._catalog.add(variant)
            return self._submit(root, variant, params)

    def _find(
        self, root: ModelRecord, wanted: str, candidates: Sequence[str]
    ) -> ModelRecord | None:
        """Return the root or the variant that is in a format, or fell back from it as allowed."""
        family = [root, *self._catalog.list(parent_id=root.id)]
        exact = [r for r in family if r.format == wanted and r.requested_format is None]
        fallen = [r for r in family if r.requested_format == wanted and r.format in candidates]
        registered = self._catalog.find(
            identity=model_requests.identity({**root.request, "format": wanted})
        )
        return next(iter([*exact, *fallen, *([registered] if registered else [])]), None)

    def _submit(self, root: ModelRecord, variant: ModelRecord, params: Json) -> ModelRecord:
        waits = [root.job_id] if root.state != "ready" and root.job_id else []
        job = self._context.jobs.submit(
            KIND,
            ("model", variant.id, variant.name),
            {"model": variant.id, **params},
            depends_on=waits,
        )
        return self._models.changed(
            variant.id,
            job_id=job.id,
            state="pending",
            error=None,
            fingerprint=root.fingerprint,
            tokenizer_fingerprint=root.tokenizer_fingerprint,
        )

    # -- the job -----------------------------------------------------------------------------

    def _needs(self, job: JobRecord) -> Needs:
        """Return the device that a job wants, and what the smallest of its formats takes there."""
        root = self.root(self._catalog.get(job.params["model"]))
        smallest = min(PARAMETER_BYTES.get(name, 4.0) for name in job.params["candidates"])
        return Needs(job.params["device"], int((root.n_params or 0) * smallest))

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["model"])
        root = self.root(record)
        return self._context.worker_spec(
            allow_remote_code=self._context.may_run_code(root),
            model={
                "id": record.id,
                "name": record.name,
                "path": root.path,
                "reference": root.format,
                "candidates": job.params["candidates"],
                "device": job.params["device"],
                "texts": job.params["texts"],
                "files": known_files(self._context, root),
            },
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        record = self._catalog.get(job.params["model"])
        root = self.root(record)
        texts = job.params["texts"]
        measured = {**result["measured"], "texts": fingerprint({"texts": texts}) if texts else None}
        if job.params.get("measure"):
            self._models.changed(record.id, measured=measured)
            return
        self._models.keep_architecture(record.id, result["architecture"])
        made, wanted = result["format"], job.params["candidates"][0]
        name = record.name
        if made != wanted:
            name = free_name(self._catalog.find, f"{root.name} ({made} instead of {wanted})")
        self._models.changed(
            record.id,
            state="ready",
            error=None,
            name=name,
            format=made,
            requested_format=wanted if made != wanted else None,
            fallback_reason=result["fallback_reason"],
            measured=measured,
            path=root.path,
            revision=root.revision,
            fingerprint=result["fingerprint"] or root.fingerprint,
            tokenizer_fingerprint=root.tokenizer_fingerprint,
            size_bytes=result["measured"]["size_bytes"],
            **facts_of(result["architecture"]),
        )

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        if job.params.get("measure"):
            return  # The model is what it was; the job says why it is not measured.
        if self._catalog.find(id=job.params["model"]) is not None:
            self._models.changed(job.params["model"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        if not job.params.get("measure"):
            self._models.changed(job.params["model"], state="pending", error=None)


def _to_measure(record: ModelRecord, params: Json) -> bool:
    """Tell whether what is there was never measured, or not as this request wants it."""
    found = record.measured
    if found is None:
        return record.format != "fp32"  # Which is what the others are compared with.
    texts, device = params["texts"], params["device"]
    other_texts = texts is not None and found.get("texts") != fingerprint({"texts": texts})
    kind = str(found["device"]).partition(":")[0]
    return other_texts or device not in ("auto", kind, found["device"])


def _texts(value: Any) -> list[str] | None:
    """Return the texts to compare on, None for the sample's."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(t, str) and t.strip() for t in value):
        raise InvalidInputError(
            "texts must be a list of texts that are not empty.", code="bad_texts", field="texts"
        )
    if not value or len(value) > MAX_TEXTS:
        raise InvalidInputError(
            f"Give 1 to {MAX_TEXTS} texts, not {len(value)}.", code="bad_texts", field="texts"
        )
    return [text[:MAX_CHARACTERS] for text in value]
