"""Job ``model.variant``: load a model in another format, check it, and measure what it costs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext import model_files

if TYPE_CHECKING:
    from torch import Tensor

    from mistudio_ext.engine.fidelity import Streams
    from mistudio_ext.engine.load import LoadedModel
    from mistudio_ext.workers.reporter import Reporter

#: Texts of the bundled sample on which a variant is compared with its reference.
N_TEXTS = 8

#: Steps of the job: variant in memory, hook points checked, reference run.
_STEPS = 3


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Make a variant.

    Nothing is written: a format is made from the parent's files whenever the
    model is loaded, so a variant takes no room on the disk.

    Parameters
    ----------
    spec
        ``{"allow_remote_code", "allow_pickle", "threads", "model": {"path", "candidates",
        "device", "texts", "files"}}``. ``candidates`` has the wanted format and those
        to fall back to, in order.
    report
        Told about phases and steps.

    Returns
    -------
    dict
        ``{"format", "fallback_reason", "fingerprint", "architecture", "measured"}``; see
        docs/models.md for ``measured``.

    Raises
    ------
    OutOfMemoryError
        If no candidate fits.
    ConflictError
        ``model_changed`` if the files are not those that were registered.
    """
    from mistudio_ext.engine.fallback import first_that_fits
    from mistudio_ext.engine.fidelity import measure, relative_errors
    from mistudio_ext.engine.inspect import describe_loaded, memory_of
    from mistudio_ext.engine.load import choose_device, load_model
    from mistudio_ext.engine.threads import use_threads
    from mistudio_ext.workers.memory_use import Peak

    model, allow_code = spec["model"], bool(spec.get("allow_remote_code"))
    load = partial(
        load_model, allow_remote_code=allow_code, allow_pickle=bool(spec.get("allow_pickle"))
    )
    path, lease = Path(model["path"]), spec.get("lease")
    device = choose_device(lease["torch_device"] if lease else model.get("device"))
    use_threads(spec.get("threads"))
    batch = _batch(path, model.get("texts"), allow_code, report)
    peak = Peak(device)

    def attempt(name: str) -> tuple[LoadedModel, Streams]:
        report.phase("loading model", f"Loading {path.name} as {name}")
        report.progress(0, _STEPS, "steps")
        peak.begin()
        with model_files.unchanged(model):
            loaded = load(path, name, device)
        return loaded, measure(loaded, batch)

    fitted = first_that_fits(model["candidates"], attempt)
    memory_bytes = peak.end()
    loaded, found = fitted.value
    made, reason = fitted.format, fitted.reason
    del fitted  # It would keep the model in memory beside the reference.
    if reason:
        report.warn("format_fallback", reason)
    for code, text in loaded.warnings:
        report.warn(code, text)
    report.phase("verifying", "Finding and checking the hook points")
    report.progress(1, _STEPS, "steps")
    architecture = describe_loaded(path, loaded, allow_code)
    size = memory_of(loaded.model)
    del loaded
    gc.collect()
    report.phase("comparing", "Comparing the residual stream with the reference")
    report.progress(2, _STEPS, "steps")
    with model_files.unchanged(model):
        reference_format, reference = _reference(load, path, made, str(device), batch, report)
    errors = relative_errors(found, reference) if reference else None
    report.progress(_STEPS, _STEPS, "steps")
    return {
        "format": made,
        "fallback_reason": reason,
        "fingerprint": (model.get("files") or {}).get("fingerprint"),
        "architecture": architecture,
        "measured": {
            "size_bytes": size,
            "memory_bytes": max(memory_bytes, size),
            "tokens_per_second": round(found.tokens_per_second, 1),
            "device": str(device),
            "n_tokens": sum(ids.numel() for ids in batch),
            "reference": reference_format,
            "relative_error": max(errors) if errors else None,
            "relative_error_by_layer": errors,
        },
    }


def _reference(
    load: Callable[[Path, str, str], LoadedModel],
    path: Path,
    made: str,
    device: str,
    batch: Sequence[Tensor],
    report: Reporter,
) -> tuple[str | None, Streams | None]:
    """Return the format and the streams of the most exact model that fits beside nothing else."""
    from mistudio_ext.engine.fallback import first_that_fits
    from mistudio_ext.engine.fidelity import measure
    from mistudio_ext.errors import OutOfMemoryError

    if made == "fp32":
        return None, None  # It is the reference.
    formats = ["fp32"] if made == "bf16" else ["fp32", "bf16"]
    try:
        fitted = first_that_fits(formats, lambda name: measure(load(path, name, device), batch))
    except OutOfMemoryError:
        report.warn(
            "no_reference",
            "No reference in full precision fits into memory: the error is not measured.",
        )
        return None, None
    if fitted.reason:
        report.warn("reference_bf16", "The reference in fp32 does not fit: bf16 is taken.")
    return fitted.format, fitted.value


def _batch(
    path: Path, texts: Sequence[str] | None, allow_code: bool, report: Reporter
) -> list[Tensor]:
    """Return the token ids to compare on: of given texts, of the sample's, or random ones."""
    from mistudio_ext.activations.tokenizer import has_tokenizer
    from mistudio_ext.engine.fidelity import token_ids
    from mistudio_ext.engine.load import read_config
    from mistudio_ext.engine.tracing import example_ids

    if has_tokenizer(path):
        found = token_ids(path, texts or _sample_texts(), allow_code)
        if found:
            return found
    report.warn(
        "random_tokens",
        "The model has no tokenizer: it is compared on random tokens, which says little.",
    )
    ids = example_ids(read_config(path, allow_code), batch=N_TEXTS, length=64)
    return [row[None] for row in ids]


def _sample_texts() -> list[str]:
    import pyarrow.parquet

    from mistudio_ext.sample import DATASET_DIR

    file = next(DATASET_DIR.glob("validation-*"))
    rows = pyarrow.parquet.read_table(file, columns=["text"]).slice(0, N_TEXTS)
    return [str(text) for text in rows.column("text").to_pylist()]
