"""What ``manifest.json`` says of an extraction, from its beginning to its end."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine.arrays import FULL, ArrayFile, named
from mistudio_ext.engine.batches import Plan
from mistudio_ext.engine.model import arithmetic
from mistudio_ext.engine.request import Contexts, Request
from mistudio_ext.engine.resume import Kept
from mistudio_ext.engine.reuse import Taken
from mistudio_ext.errors import MiStudioError

if TYPE_CHECKING:
    from mistudio_ext.engine.load import LoadedModel

#: Changes when an older journal can no longer be gone on with.
ENGINE_VERSION = 3

#: Libraries whose other version may give other bits.
LIBRARIES = ("torch", "transformers", "bitsandbytes")


class Record:
    """Writes ``manifest.json`` as the extraction goes from state to state."""

    def __init__(self, request: Request) -> None:
        self._folder = request.folder
        self._body = _body(request)

    def formats(self, request: Request) -> tuple[str, ...]:
        """Return the formats to try: one that an earlier run fell back to comes first."""
        wanted = (request.format, *request.fallback)
        spec = self._body["spec"]
        made = spec.get("quantization")
        if spec.get("fallback_reason") and made in wanted:
            return wanted[wanted.index(made) :]
        return wanted

    def fell_back(self, request: Request, made: str, reason: str) -> None:
        """Say that the model did not fit as it was asked for, and what it is instead."""
        spec = self._body["spec"]
        spec["requested_quantization"], spec["quantization"] = request.asked_format, made
        spec["fallback_reason"] = reason

    def fallback_reason(self) -> str | None:
        """Return why the format is not the one that was asked for, if it is not."""
        reason: str | None = self._body["spec"].get("fallback_reason")
        return reason

    def running(
        self,
        contexts: Contexts,
        plan: Plan,
        arrays: Sequence[ArrayFile],
        taken: Taken,
        descriptions: dict[str, dict[str, Any]],
    ) -> None:
        """Say that rows are being written; into which files, and which were there already."""
        self._body["n_samples"], self._body["n_tokens"] = contexts.n_samples, contexts.n_tokens
        self._body["spec"]["context"] = contexts.context
        self._body["files"] = {
            **{file.path.name: taken.get(file.path.name) or _awaited(file) for file in arrays},
            **descriptions,
        }
        self._body["plan"] = plan.to_dict()
        self._write("running")

    def computed_by(self, loaded: LoadedModel) -> None:
        """Note what computes the arrays: bits differ between engines, processors and kernels."""
        config = loaded.model.config
        self._body["engine"] = {
            "version": ENGINE_VERSION,
            "device": loaded.device.type,
            "processor": arithmetic.processor(loaded.device),
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "attention": getattr(config, "_attn_implementation", None),
        }

    @property
    def computing(self) -> dict[str, Any]:
        """What computes the arrays: engine, device, dtype and libraries."""
        versions = self._body["versions"]
        libraries = {name: versions.get(name) for name in LIBRARIES}
        return {"engine": self._body["engine"], "versions": libraries}

    def planned(
        self, contexts: Contexts, plan: Plan, descriptions: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the manifest as far as it decides whether other arrays are the same."""
        return {
            **self._body,
            "spec": {**self._body["spec"], "context": contexts.context},
            "n_samples": contexts.n_samples,
            "n_tokens": contexts.n_tokens,
            "plan": plan.to_dict(),
            "files": descriptions,
        }

    def done(
        self,
        files: Sequence[ArrayFile],
        kept: Kept,
        timings: dict[str, float],
        warnings: Sequence[dict[str, str]],
    ) -> dict[str, Any]:
        """Say that everything is written, with checksums and statistics."""
        for file, running, total in zip(files, kept.hashes, kept.totals, strict=True):
            entry = self._body["files"][file.path.name]
            entry["checksum"] = named(running)
            entry["statistics"] = total.summary()
        self._body["timings"], self._body["warnings"] = timings, list(warnings)
        self._write("done")
        return self._body

    def ended(self, state: str, error: MiStudioError | None) -> None:
        """Say that it ended early; a folder that nobody began is left alone."""
        if not (self._folder / manifests.FILE_NAME).is_file():
            return
        try:
            self._write(state, error.to_dict() if error else None)
        except OSError as failure:
            # On a full disk even this cannot be written; the job's own error says why.
            if failure.errno not in FULL:
                raise

    def _write(self, state: str, error: dict[str, Any] | None = None) -> None:
        self._body["state"], self._body["error"] = state, error
        manifests.write(self._folder, self._body)


def _awaited(file: ArrayFile) -> dict[str, Any]:
    return {
        "hook": file.hook,
        "shape": list(file.shape),
        "dtype": file.dtype,
        "bytes": file.size,
        "checksum": None,
        "statistics": None,
    }


def _body(request: Request) -> dict[str, Any]:
    """Return the manifest that the server made, or a new one with the same facts."""
    raw = request.raw
    extraction, model = raw["extraction"], raw["model"]
    dataset, tokenization = raw.get("dataset") or {}, raw.get("tokenization") or {}
    found: dict[str, Any] = {}
    with contextlib.suppress(MiStudioError):
        found = manifests.read(request.folder)
        if request.fingerprint and found.get("fingerprint") != request.fingerprint:
            found = {}
    spec = request.spec
    facts = {
        "model": model.get("name"),
        "model_id": model.get("id"),
        "model_path": str(model.get("path")),
        "repo_id": model.get("repo_id"),
        "revision": model.get("revision"),
        "model_fingerprint": model.get("fingerprint"),
        "tokenizer_fingerprint": model.get("tokenizer_fingerprint"),
        "quantization": request.format,
        "dataset": dataset.get("name"),
        "dataset_id": dataset.get("id"),
        "dataset_path": dataset.get("path"),
        "dataset_fingerprint": dataset.get("fingerprint"),
        "fingerprint": request.fingerprint,
        "split": dataset.get("split"),
        "text_column": dataset.get("text_column"),
        "tokenization": {
            "id": tokenization.get("id"),
            **(tokenization.get("settings") or {}),
        },
        "layers": sorted({p for p in map(_layer, spec.hooks) if p is not None}),
        "hooks": list(spec.hooks),
        "layout": spec.layout,
        "positions": spec.positions,
        "dtype": spec.dtype,
        "context": (tokenization.get("settings") or {}).get("context"),
        "max_samples": spec.max_samples,
    }
    return {
        "schema_version": manifests.SCHEMA_VERSION,
        "state": "running",
        "id": extraction.get("id") or request.folder.name,
        "name": extraction.get("name") or request.folder.name,
        "fingerprint": request.fingerprint,
        "created_at": extraction.get("created_at") or datetime.now(UTC).isoformat(),
        "n_samples": None,
        "n_tokens": None,
        "files": {},
        "timings": {},
        **found,
        # The first manifest may be older than what is known of the weights.
        "spec": {
            **facts,
            **(found.get("spec") or {}),
            "model_fingerprint": facts["model_fingerprint"],
            "tokenizer_fingerprint": facts["tokenizer_fingerprint"],
        },
        "versions": _versions(),
        "warnings": [],
        "error": None,
    }


def _layer(hook: str) -> int | None:
    parts = hook.split(".")
    return int(parts[1]) if parts[0] == "blocks" and len(parts) > 1 else None


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("mistudio_ext", "torch", "transformers", "numpy", "bitsandbytes"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    if "mistudio_ext" not in found:
        from mistudio_ext._version import __version__

        found["mistudio_ext"] = __version__
    return found
