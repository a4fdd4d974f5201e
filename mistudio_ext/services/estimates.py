"""What an extraction will take: tokens, bytes, time, memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mistudio_ext import batching
from mistudio_ext.catalog import DatasetRecord, ModelRecord, TokenizationRecord
from mistudio_ext.errors import NoSpaceError
from mistudio_ext.hookpoints import MODULE_PREFIX
from mistudio_ext.jobs.admission import Place
from mistudio_ext.services import footprint
from mistudio_ext.services.context import Context, Json
from mistudio_ext.spec import ExtractionSpec

#: Bytes of a number in each storage dtype.
ITEM_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}

#: English text has about so many bytes per token; used until the text is tokenised.
BYTES_PER_TOKEN = 4.0

#: Tokens that the share of one is told from.
_MANY = 4096

#: Floating-point operations per second assumed of a CPU that nothing was measured on yet.
ASSUMED_FLOPS = 4e10


@dataclass(frozen=True)
class Size:
    """How much there is to extract.

    Attributes
    ----------
    n_samples, n_tokens
        Contexts and tokens.
    context
        Longest context in tokens.
    exact
        Counted, not estimated.
    """

    n_samples: int
    n_tokens: int
    context: int
    exact: bool


def size_of(
    context: Context,
    dataset: DatasetRecord,
    split: str,
    tokenization: TokenizationRecord | None,
    context_length: int,
    max_samples: int | None,
) -> Size:
    """Count or estimate samples and tokens."""
    if tokenization is not None and tokenization.state == "ready":
        return _counted(context, tokenization, max_samples)
    rows = next((s for s in dataset.splits if s["name"] == split), None)
    n_rows = int(rows["n_rows"]) if rows else 0
    n_bytes = float(rows.get("n_bytes") or 0) if rows else 0.0
    n_samples = min(n_rows, max_samples or n_rows)
    per_row = min(context_length, n_bytes / BYTES_PER_TOKEN / n_rows) if n_rows else 0.0
    return Size(n_samples, math.ceil(n_samples * per_row), context_length, exact=False)


def _counted(context: Context, tokenization: TokenizationRecord, max_samples: int | None) -> Size:
    n_samples, n_tokens = tokenization.n_samples or 0, tokenization.n_tokens or 0
    length = int(tokenization.settings["context"])
    if max_samples is not None and max_samples < n_samples:
        from mistudio_ext.store.tokens import open_tokenization

        offsets = open_tokenization(context.settings.folder.tokenization(tokenization.id)).offsets
        n_samples, n_tokens = max_samples, int(offsets[max_samples])
    return Size(n_samples, n_tokens, length, exact=True)


def array_bytes(size: Size, widths: Iterable[int], spec: ExtractionSpec) -> int:
    """Return the bytes of all arrays: rows times widths times the size of a number."""
    if spec.positions != "all":
        rows = size.n_samples
    elif spec.layout == "padded":
        rows = size.n_samples * size.context
    else:
        rows = size.n_tokens
    numbers = rows * sum(widths)
    return numbers * ITEM_BYTES[spec.dtype] + size.n_tokens * 4 + size.n_samples * 16


def hook_widths(hooks: Sequence[str], architecture: Json | None, d_model: int) -> list[int]:
    """Return the last dimension of each hook point."""
    known = {hook["name"]: int(hook["d"]) for hook in (architecture or {}).get("hooks", [])}
    return [known.get(name, d_model) for name in hooks]


def tokens_per_second(context: Context, model: ModelRecord) -> tuple[float, bool]:
    """Return the expected speed and whether it was measured in earlier extractions."""
    runs = context.catalog.extractions.list(model_id=model.id, state="done", limit=9)
    speeds = [s for run in runs if (s := run.timings.get("tokens_per_s"))]
    if speeds:
        return float(median(speeds)), True
    # A forward pass takes about two operations per parameter and token.
    return ASSUMED_FLOPS / (2.0 * max(model.n_params or 10**8, 10**5)), False


def device_memory(
    model: ModelRecord,
    spec: ExtractionSpec,
    architecture: Json | None,
    longest: int,
    place: Place,
) -> int:
    """Return the bytes for weights, the forward pass of a batch, and staging buffers.

    Parameters
    ----------
    longest
        Tokens of the longest sample.
    place
        Where the job will run; the engine chooses its batches by that.
    """
    known = architecture or {}
    sizes, d_model = known.get("sizes"), model.d_model or 1
    n_params = model.n_params or 0
    table = (model.vocab_size or 0) * d_model * (1 if known.get("tied", True) else 2)
    outside = min(table, n_params)
    weights = footprint.weight_bytes(model.format, place.kind, sizes, n_params, outside)
    if model.format not in footprint.PARAMETER_BYTES:
        weights = known.get("size_bytes") or weights  # As the publisher quantised it.
    row = sum(hook_widths(spec.hooks, architecture, d_model)) * ITEM_BYTES[spec.dtype]

    def passing(tokens: int) -> int:
        return footprint.pass_bytes(model.format, place.kind, sizes, tokens, d_model)

    gpu = place.kind == "gpu"
    tokens = batching.batch_tokens(
        device_type="cuda" if gpu else "cpu",
        asked=spec.batch_tokens,
        longest=longest,
        row_bytes=row,
        flops_per_token=2.0 * (n_params - outside),
        room=max(0, place.usable - weights) if gpu and place.usable is not None else None,
        pass_bytes=batching.STAGING_BUFFERS * row + passing(_MANY) // _MANY,
    )
    return weights + passing(tokens) + batching.STAGING_BUFFERS * tokens * row


def warnings_for(
    context: Context, n_bytes: int, hooks: Sequence[str], spec: ExtractionSpec
) -> list[dict[str, Any]]:
    """Return what the user should know before starting."""
    found: list[dict[str, Any]] = []
    try:
        context.require_room("The extraction", n_bytes)
    except NoSpaceError as error:
        found.append({"code": error.code, "message": error.message})
    if spec.dtype == "float16" and any("resid" in hook for hook in hooks):
        found.append(
            {
                "code": "float16_range",
                "field": "dtype",
                "message": "float16 ends at 65504; values beyond it are reported as non-finite. "
                "bfloat16 has the range of float32.",
            }
        )
    if any(hook.startswith(MODULE_PREFIX) for hook in hooks):
        found.append(
            {
                "code": "unverified_hook",
                "field": "hooks",
                "message": "Hook points by module path are stored as the module returns them.",
            }
        )
    return found
