"""What a model is, beyond its row: tokenizer, comparison with another, what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.services import comparison, hub_cache, hub_formats, machine
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.model_sizes import sizes_of
from mistudio_ext.services.models import ModelService


class ModelFacts:
    """Answers questions about registered models and about what could be registered."""

    def __init__(self, context: Context, models: ModelService) -> None:
        self._context = context
        self._models = models

    def tokenizer(self, model_id: str) -> Json:
        """Return size, special tokens and chat template of a model's tokenizer."""
        record = self._context.catalog.models.get(model_id)
        architecture = self._models.architecture(record.parent_id or record.id)
        if not architecture.get("tokenizer"):
            raise ConflictError(
                f"'{record.name}' has no tokenizer.",
                code="no_tokenizer",
                hint="Add the tokenizer's files to its folder and register the model again.",
            )
        return dict(architecture["tokenizer"])

    def estimate(self, model_id: str, batch_tokens: int | None, n_hooks: int | None) -> Json:
        """Return what each format takes to load, and in an extraction at a batch.

        See :func:`hub_formats.formats`.
        """
        record = self._context.catalog.models.get(model_id)
        root = self._models.current(self._context.catalog.models.get(record.parent_id or record.id))
        architecture = self._models.architecture(record.id)
        config = architecture.get("config") or {}
        found = architecture.get("sizes") or sizes_of(self._context, config)
        if root.state == "pending":
            raise ConflictError(
                f"'{root.name}' is being read anew, since its files have changed.",
                code="model_not_ready",
                hint="Ask again when its job has ended.",
            )
        counts = {"F32": record.n_params or 0}
        batch = hub_formats.read_batch(batch_tokens, n_hooks)
        return hub_formats.formats(
            counts, config, root.size_bytes or 0, machine.devices(), found, batch
        )

    def compare(self, ids: Sequence[str]) -> Json:
        """Return two models side by side; see :func:`comparison.compare`."""
        if len(ids) != 2:
            raise InvalidInputError(
                "Two models can be compared.",
                code="two_models_needed",
                field="ids",
                hint="Write ids=A,B.",
            )
        return comparison.compare(*(self._models.architecture(model_id) for model_id in ids))

    def cached(self) -> Json:
        """Return the models that lie in the Hugging Face cache."""
        return hub_cache.models(self._context)

    def folders(self) -> Json:
        """Return the models in the folders that all users share."""
        return hub_cache.folders(self._context)
