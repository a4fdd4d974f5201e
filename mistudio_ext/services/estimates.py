"""What an extraction will take: tokens, bytes, time, memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mistudio_ext.catalog import DatasetRecord, ModelRecord, TokenizationRecord
from mistudio_ext.errors import NoSpaceError
from mistudio_ext.hookpoints import MODULE_PREFIX
from mistudio_ext.services.context import Context, Json
from mistudio_ext.spec import ExtractionSpec

#: Bytes of a number in each storage dtype.
ITEM_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}

#: Bytes of a parameter in each model format, overheads of the quantised ones included.
PARAMETER_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "q8": 1.1, "q4": 0.6, "q2": 0.4}

#: English text has about so many bytes per token; used until the text is tokenised.
BYTES_PER_TOKEN = 4.0

#: Floating-point operations per second assumed of a CPU that nothing was measured on yet.
ASSUMED_FLOPS = 4e10

#: Tokens per forward pass assumed where the engine chooses.
DEFAULT_BATCH_TOKENS = 4096

#: Batches whose rows are in memory at the same time, on their way to the disk.
STAGING_BUFFERS = 3


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


def device_memory(model: ModelRecord, spec: ExtractionSpec, architecture: Json | None) -> int:
    """Return the bytes for weights, one forward pass's activations, and staging buffers."""
    weights = (model.n_params or 0) * PARAMETER_BYTES.get(model.format, 4.0)
    batch = spec.batch_tokens or DEFAULT_BATCH_TOKENS
    d_model = model.d_model or 1
    widest = max(d_model * 4, int((architecture or {}).get("d_mlp") or 0))
    # Alive at once in a block: stream, norm, q k v, attention output, and two widths of the MLP.
    activations = batch * (6 * d_model + 2 * widest) * 4
    row = sum(hook_widths(spec.hooks, architecture, d_model)) * ITEM_BYTES[spec.dtype]
    return int(weights + activations + STAGING_BUFFERS * batch * row)


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
