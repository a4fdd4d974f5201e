"""The conductor: from a spec to a finished extraction folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from mistudio_ext import batching, model_files
from mistudio_ext.engine import gpu, lanes, output, passes, reuse
from mistudio_ext.engine.arrays import DTYPES, FULL, file_name, no_space
from mistudio_ext.engine.batches import Plan, make_plan
from mistudio_ext.engine.choose import choose_points
from mistudio_ext.engine.fallback import first_that_fits
from mistudio_ext.engine.forward import batch_rule
from mistudio_ext.engine.load import LoadedModel, choose_device, load_model
from mistudio_ext.engine.memory import is_out_of_memory, keep_heap
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.passes import Passed
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.record import Record
from mistudio_ext.engine.request import Contexts, Request
from mistudio_ext.engine.structure import (
    Structure,
    discover,
    parameter_count,
    text_model,
)
from mistudio_ext.engine.threads import use_threads
from mistudio_ext.errors import (
    CancelledError,
    ExtractionError,
    MiStudioError,
    OutOfMemoryError,
)


class Report(Protocol):
    """What the engine needs of a worker's reporter."""

    def phase(self, name: str, message: str = "") -> None:
        """Say that a new phase begins."""

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        """Say how far the phase is; raises CancelledError when the job was cancelled."""

    def warn(self, code: str, message: str) -> None:
        """Add a warning."""


def extract(
    raw: dict[str, Any],
    report: Report,
    loaded: LoadedModel | None = None,
    *,
    keep: Callable[[LoadedModel], None] | None = None,
) -> dict[str, Any]:
    """Carry out one extraction, or go on with one that was interrupted.

    Parameters
    ----------
    raw
        The content of the worker's ``spec.json``.
    report
        Told about phases, progress and warnings.
    loaded
        The model, if it is in memory already; else it is loaded from the spec's path.
    keep
        Told of a model that was loaded, so that it can be given as ``loaded`` the next time.

    Returns
    -------
    dict
        ``n_samples``, ``n_tokens``, ``bytes``, ``timings``, ``hooks`` (name → shape), ``warnings``.

    Raises
    ------
    InvalidInputError
        For a hook that the model lacks (``no_such_hook``), before anything is written,
        and for anything else in the spec that cannot be.
    NoSpaceError
        If the disk has no room for the arrays.
    OutOfMemoryError
        If the model or one single sample does not fit into memory.
    CancelledError
        If the user cancelled; what is finished stays and can be gone on with.
    ConflictError
        ``model_changed`` if the model's files are not those that were registered.
    """
    request = Request.read(raw)
    if (found := output.finished(request)) is not None:
        return _result(found)
    record = Record(request)
    try:
        return _Extraction(request, record, report, keep).run(loaded)
    except CancelledError:
        record.ended("cancelled", None)
        raise
    except MiStudioError as error:
        record.ended("failed", error)
        raise
    except Exception as error:
        described = _describe(error, request)
        record.ended("failed", described)
        if described.code == "internal_error":
            raise
        raise described from None  # A traceback would keep the tensors of a failed pass alive.


def _describe(error: Exception, request: Request) -> MiStudioError:
    """Return the error that a user understands."""
    text = " ".join(str(error).split())[:300]
    if is_out_of_memory(error):
        return OutOfMemoryError(
            f"There is not enough memory to run the model: {text}",
            hint="Choose a smaller format (bf16, q8, q4) or another device.",
        )
    if isinstance(error, OSError) and error.errno in FULL:
        return no_space(request.folder)
    return ExtractionError(f"{type(error).__name__}: {text}", code="internal_error")


class _Extraction:
    """One run: model in memory, folder open, batches going through."""

    def __init__(
        self,
        request: Request,
        record: Record,
        report: Report,
        keep: Callable[[LoadedModel], None] | None = None,
    ) -> None:
        self._keep = keep
        self._request, self._record, self._report = request, record, report
        self._warnings: list[dict[str, str]] = []
        self._began = time.monotonic()

    def run(self, given: LoadedModel | None) -> dict[str, Any]:
        request, report = self._request, self._report
        contexts = Contexts.open(request.raw["tokenization"], request.spec.max_samples)
        report.phase("loading model", f"Loading {request.raw['model'].get('name') or 'the model'}")
        use_threads(request.threads)
        keep_heap()
        # A model that is in memory, too, must be that of the files: else it is an earlier one.
        with model_files.unchanged(request.raw["model"]):
            loaded = self._load() if given is None else given
        self._record.computed_by(loaded)
        request = self._in_made_format(loaded)
        for code, message in loaded.warnings:
            self._warn(code, message)
        structure = discover(loaded.model)
        chosen = choose_points(loaded.model, structure, request.spec.hooks)
        structure = structure.without_values()
        self._check_contexts(loaded, structure, contexts)
        identity = output.identity_of(request, contexts, chosen, self._record)
        plan = output.recorded_plan(request, identity)
        go_on = plan is not None
        if plan is None:
            plan = self._plan(loaded, structure, contexts, chosen)
        if given is None:
            _drop_head(loaded.model)
            if self._keep is not None:
                self._keep(loaded)
        load_s = time.monotonic() - self._began
        started = output.start(request, contexts, chosen, plan, self._record, go_on=go_on)
        try:
            self._record.running(
                contexts, plan, started.arrays, started.taken, started.descriptions
            )
            missing = [p for p in chosen if file_name(p.name) not in started.taken]
            report.phase("extracting", _what(len(missing), len(started.taken)))
            passed = Passed()
            if missing:
                passed = self._all_passes(loaded, contexts, missing, started)
            self._note_values(started)
            timings = {
                "load_s": round(load_s, 3),
                "extract_s": round(passed.seconds, 3),
                "total_s": round(time.monotonic() - self._began, 3),
                "tokens_per_s": round(passed.tokens_per_s, 1),
            }
            return _result(self._record.done(started.files, started.kept, timings, self._warnings))
        finally:
            started.close()

    def _load(self) -> LoadedModel:
        request = self._request

        def attempt(name: str) -> LoadedModel:
            device = choose_device(request.spec.device)
            return load_model(
                request.model_path,
                name,
                device,
                request.allow_remote_code,
                allow_pickle=request.allow_pickle,
            )

        if not request.fallback:
            return attempt(request.format)
        fitted = first_that_fits(self._record.formats(request), attempt)
        return replace(fitted.value, format=fitted.format, fallback_reason=fitted.reason)

    def _in_made_format(self, loaded: LoadedModel) -> Request:
        """Say everywhere in which format the model is, if it is not the one asked for."""
        made = loaded.format or self._request.format
        asked = self._request.asked_format
        if made != asked:
            reason = loaded.fallback_reason or self._record.fallback_reason()
            before = self._request.fell_back[1] if self._request.fell_back else None
            text = reason or before or f"{made} is used instead of {asked}"
            self._record.fell_back(self._request, made, text)
            self._warn("format_fallback", text)
            self._request = replace(self._request, format=made)
        return self._request

    def _plan(
        self,
        loaded: LoadedModel,
        structure: Structure,
        contexts: Contexts,
        chosen: Sequence[Point],
    ) -> Plan:
        limits = limits_of(loaded.model, structure)
        rule = batch_rule.decide(loaded.model, structure, limits, contexts.lengths)
        itemsize = DTYPES[self._request.spec.dtype][1].itemsize
        # Of all blocks, whatever is hooked: so other hooks of the same data have the same plan,
        # and their arrays can be taken over.
        run = sum(parameter_count(block.module) for block in structure.blocks)
        row_bytes = sum(point.d for point in chosen) * itemsize
        width = structure.d_model or max(point.d for point in chosen)
        return make_plan(
            device_type=loaded.device.type,
            batch_tokens=self._request.spec.batch_tokens,
            longest=contexts.longest,
            row_bytes=row_bytes,
            flops_per_token=2.0 * run,
            padding=rule.padding,
            room=gpu.room(loaded.device, self._request.share),
            pass_bytes=_pass_bytes(row_bytes, width, loaded.dtype.itemsize),
            lanes=lanes.possible(
                loaded, self._request.format, torch.get_num_threads(), contexts.longest
            ),
        )

    def _check_contexts(
        self, loaded: LoadedModel, structure: Structure, contexts: Contexts
    ) -> None:
        limits = limits_of(loaded.model, structure)
        contexts.check(limits.vocabulary, limits.positions)
        if limits.context is not None and contexts.longest > limits.context:
            self._warn(
                "beyond_trained_context",
                f"Contexts of {contexts.longest} tokens are longer than the {limits.context} that "
                "the model was made for.",
            )

    def _all_passes(
        self,
        loaded: LoadedModel,
        contexts: Contexts,
        chosen: Sequence[Point],
        started: output.Started,
    ) -> Passed:
        passed = passes.run(
            loaded, self._request.spec, contexts, chosen, started, self._report.progress
        )
        if passed.reductions:
            self._warn(
                "batch_reduced",
                f"Memory ran out {passed.reductions} times; batches were reduced to "
                f"{passed.tokens_at_once} of {passed.tokens_planned} tokens.",
            )
        return passed

    def _note_values(self, started: output.Started) -> None:
        for file, total in zip(started.files, started.kept.totals, strict=True):
            if total.infinite and file.dtype == "float16":
                self._warn(
                    "float16_overflow",
                    f"{file.hook}: {total.infinite} values are too large for float16 and were "
                    "stored as inf; use bfloat16 or float32.",
                )
            elif total.non_finite:
                self._warn("non_finite", f"{file.hook}: {total.non_finite} values are inf or nan.")

        for warning in reuse.warnings_of(self._request.reuse, started.taken):
            self._warn(**warning)

    def _warn(self, code: str, message: str) -> None:
        self._warnings.append({"code": code, "message": message})
        self._report.warn(code, message)


def _pass_bytes(row_bytes: int, width: int, itemsize: int) -> int:
    """Return the bytes that one token of a batch takes on the device."""
    return batching.STAGING_BUFFERS * row_bytes + batching.PASS_WIDTHS * width * itemsize


def _what(computed: int, taken: int) -> str:
    text = f"Extracting {computed} hook points"
    return f"{text}; {taken} are there already" if taken else text


def _drop_head(model: Any) -> None:
    """Free the LM head: no hook point needs it, and it can be the largest matrix of all."""
    runner = text_model(model)
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    inside = set(map(id, runner.modules()))
    for path, module in list(model.named_modules()):
        if head is not None and module is head and id(module) not in inside:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, torch.nn.Identity())


def _result(manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "n_samples": manifest["n_samples"],
        "n_tokens": manifest["n_tokens"],
        "bytes": sum(entry["bytes"] for entry in manifest["files"].values()),
        "timings": manifest["timings"],
        "hooks": {
            entry["hook"]: entry["shape"]
            for entry in manifest["files"].values()
            if entry.get("hook")
        },
        "warnings": manifest["warnings"],
        "format": manifest["spec"].get("quantization"),
        "device": (manifest.get("engine") or {}).get("device"),
    }
