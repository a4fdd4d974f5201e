"""From what a user writes (id, name, folder, repository) to a model or dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mistudio_ext import sample
from mistudio_ext.catalog import DatasetRecord, ModelRecord
from mistudio_ext.errors import ConflictError, MiStudioError, NotFoundError
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.datasets import DatasetService
from mistudio_ext.services.hub_ids import is_repo_id
from mistudio_ext.services.model_requests import require_format
from mistudio_ext.services.models import ModelService, require_choice
from mistudio_ext.services.variants import VariantService

#: Prefixes of our own ids: such a name is never looked for elsewhere.
_OUR_IDS = ("ds_", "model_")


class Resolver:
    """Finds what is named in the catalog, and registers what is not there yet."""

    def __init__(
        self,
        context: Context,
        datasets: DatasetService,
        models: ModelService,
        variants: VariantService,
    ) -> None:
        self._context = context
        self._variants = variants
        self._datasets = datasets
        self._models = models

    def check(self, model: str, dataset: str, wanted_format: str | None = None) -> None:
        """Raise the error that either would raise; registers nothing."""
        catalog = self._context.catalog
        known = catalog.models.find(id=model) or catalog.models.find(name=model)
        if known is None:
            with _at_field("model"):
                source = self._model_source(model)
                self._models.check(source)
            known = self._models.known(source)
            if known is None and source["source"] == "path":
                with _at_field("quantize"):
                    require_format(Path(source["path"]).expanduser(), wanted_format)
        if known is not None and wanted_format is not None:
            with _at_field("quantize"):
                require_choice(self._variants.root(known), wanted_format)
        if not (catalog.datasets.find(id=dataset) or catalog.datasets.find(name=dataset)):
            with _at_field("dataset"):
                self._datasets.check(source_of(dataset))

    def dataset(self, text: str) -> DatasetRecord:
        """Return the dataset, registering it if need be; a failed one is tried again."""
        catalog = self._context.catalog.datasets
        found = catalog.find(id=text) or catalog.find(name=text)
        if found is not None and found.state != "failed":
            return found
        body = dict(found.request) if found else source_of(text)
        created, _ = self._datasets.create(body)
        return catalog.get(created["id"])

    def model(
        self, text: str, wanted_format: str | None, smaller: Sequence[str] = ()
    ) -> ModelRecord:
        """Return the model in a format, registering it if need be; a failed one is tried again.

        Parameters
        ----------
        text
            Id, name, folder or repository.
        wanted_format
            The format; None for the one that the model is in.
        smaller
            Formats to fall back to, in order, if it does not fit into memory.
        """
        catalog = self._context.catalog.models
        found = catalog.find(id=text) or catalog.find(name=text)
        if found is not None:
            found = self._variants.current(found)
        if found is not None and found.state == "failed" and found.parent_id:
            return self._variants.ensure(found, wanted_format or _asked(found), smaller)
        if found is None or found.state == "failed":
            body = dict(found.request) if found else self._model_source(text)
            created, _ = self._models.create(body)
            found = catalog.get(created["id"])
        if wanted_format in (None, found.format):
            return found
        return self._variants.ensure(found, str(wanted_format), smaller)

    def _model_source(self, text: str) -> Json:
        """Return the body that registers a model; shared folders come before the Hub."""
        if is_repo_id(text):
            for root in self._context.settings.shared_model_dirs:
                if (root / text / "config.json").is_file():
                    return {"source": "path", "path": str(root / text)}
        return _source(text, "model", sample.MODEL_NAME)

    def known_dataset(self, text: str) -> DatasetRecord:
        """Return a dataset that is in the catalog and ready, for estimates."""
        catalog = self._context.catalog.datasets
        found = catalog.find(id=text) or catalog.find(name=text) or catalog.get(text)
        if found.state != "ready":
            raise _not_ready("dataset", found.name, found.state)
        return found

    def known_model(self, text: str, wanted_format: str | None) -> ModelRecord:
        """Return a model that is in the catalog and ready, for estimates."""
        catalog = self._context.catalog.models
        found = catalog.find(id=text) or catalog.find(name=text) or catalog.get(text)
        found = self._variants.current(found)
        if found.state != "ready":
            raise _not_ready("model", found.name, found.state)
        del wanted_format  # The shapes are those of any format.
        return found


def _asked(variant: ModelRecord) -> str:
    return variant.requested_format or variant.format


@contextlib.contextmanager
def _at_field(field: str) -> Iterator[None]:
    """Name the request's own field in errors about the path or repository in it."""
    try:
        yield
    except MiStudioError as error:
        error.field = field
        raise


def source_of(dataset: str) -> Json:
    """Return the body that registers the dataset that a text names."""
    return _source(dataset, "dataset", sample.DATASET_NAME)


def _source(text: str, noun: str, sample_name: str) -> Json:
    """Return the body that registers what this text names."""
    if text == sample_name:
        return {"source": "sample"}
    if Path(text).expanduser().exists() or text.startswith(("/", "./", "../", "~")):
        return {"source": "path", "path": text}
    if is_repo_id(text) and not text.startswith(_OUR_IDS):
        return {"source": "hub", "repo_id": text}
    raise NotFoundError(
        f"There is no {noun} '{text}'.",
        code=f"no_such_{noun}",
        field=noun,
        hint="Give an id or name from the catalog, a folder, or a repository on the Hub.",
    )


def _not_ready(noun: str, name: str, state: str) -> ConflictError:
    return ConflictError(
        f"'{name}' is not ready: it is {state}.",
        code=f"{noun}_not_ready",
        field=noun,
        hint="Wait for its job to end, or look at the job's error.",
    )
