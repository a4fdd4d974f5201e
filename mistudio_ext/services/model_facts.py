"""What a model is, beyond its row: tokenizer, comparison with another, what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.services import comparison, hub_cache
from mistudio_ext.services.context import Context, Json
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
