"""What the settings of a tokenization come to for a dataset and a tokenizer."""

from __future__ import annotations

import math
from dataclasses import replace

from mistudio_ext.catalog import DatasetRecord
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.keys import RULES
from mistudio_ext.services.context import Json
from mistudio_ext.services.tokenizers import TokenizerSource
from mistudio_ext.spec import TokenizationSpec, fingerprint

#: Context in tokens where neither the user nor the model says one, and the longest default.
DEFAULT_CONTEXT = 1024

#: Contexts that are made at least where an extraction wants only the first ones.
LEAST_SAMPLES = 10_000


def as_far_as(
    dataset: DatasetRecord, split: str, spec: TokenizationSpec, max_samples: int | None
) -> TokenizationSpec:
    """Return settings that stop after the contexts that are wanted, where that saves much.

    The limit is a power of ten, so that a little more is there already.
    """
    if max_samples is None or spec.max_samples is not None:
        return spec
    enough = max(LEAST_SAMPLES, 10 ** math.ceil(math.log10(max_samples)))
    n_rows = next((s["n_rows"] for s in dataset.splits if s["name"] == split), 0)
    return replace(spec, max_samples=enough) if n_rows >= 10 * enough else spec


def context_length(source: TokenizerSource, spec: TokenizationSpec) -> int | None:
    """Return the context to use; None while the model's own is not known."""
    if spec.context is None:
        if not source.known:
            return None
        return min(source.context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    if source.context and spec.context > source.context:
        raise InvalidInputError(
            f"The context of {spec.context} tokens is longer than the model can read "
            f"({source.context}).",
            code="context_too_long",
            field="context",
            hint=f"Choose at most {source.context}.",
        )
    return spec.context


def identity_of(dataset: DatasetRecord, source: TokenizerSource, split: str, settings: Json) -> str:
    """Return what is the same for the same ids: dataset, split, tokenizer, settings and rules."""
    facts = {"dataset": dataset.id, "split": split, "tokenizer": source.key}
    return fingerprint({**facts, "rules": RULES["tokenization"], "settings": settings})


def require_column(dataset: DatasetRecord, column: str | None) -> None:
    """Raise ``no_such_column`` for one that the dataset is known not to have."""
    names = [c["name"] for c in dataset.columns]
    if names and column is not None and column not in names:
        raise InvalidInputError(
            f"'{dataset.name}' has no column '{column}'.",
            code="no_such_column",
            field="column",
            hint=f"Its columns are {', '.join(names)}.",
        )
