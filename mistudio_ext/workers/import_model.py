"""Job ``model.import``: register a model, from the Hub or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext import keys, model_files
from mistudio_ext.activations import kept_tokenizers
from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.room import DiskLimits
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.model_folder import ModelFolder, open_model
from mistudio_ext.workers.text_encoder import TextEncoder

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Import a model: fetch it if needed, check its files, load it once and map its hook points.

    Parameters
    ----------
    spec
        ``{"data_dir", "disk_reserve_bytes", "allow_remote_code", "allow_pickle", "model":
        {"id", "name", "source", "source_path", "repo_id", "revision",
        "format", "path", "endpoint"}}``.
    report
        Told about bytes while downloading, then about phases.

    Returns
    -------
    dict
        ``{"path", "revision", "fingerprint", "tokenizer_fingerprint",
        "files": {"names", "stamp", "rules"}, "format", "size_bytes", "in_hf_cache", "downloaded",
        "architecture", "tokenizer"}``. ``downloaded`` tells that we put the copy into the cache.
        ``tokenizer`` has its class, vocabulary and special tokens. It and
        ``tokenizer_fingerprint`` are None for a model without a tokenizer.

    Raises
    ------
    ConflictError
        ``model_changed`` if the files change while they are read.
    """
    model = spec["model"]
    allow_remote_code = bool(spec.get("allow_remote_code"))
    allow_pickle = bool(spec.get("allow_pickle"))
    revision, fetched, limits = None, False, DiskLimits.of(spec)
    if model["source"] == "hub":
        from mistudio_ext.workers.hub_models import fetch_model

        path, revision, fetched = fetch_model(
            model["repo_id"],
            model.get("revision"),
            endpoint=model.get("endpoint"),
            with_code=allow_remote_code,
            allow_pickle=allow_pickle,
            limits=limits,
            report=report,
        )
    elif model.get("source_path"):
        path = Path(model["source_path"]).expanduser().absolute()
    else:
        raise InvalidInputError("No folder was given.", code="no_path", field="path")
    report.phase("checking", f"Checking the files of {model.get('name') or path.name}")
    folder = open_model(path, allow_pickle=allow_pickle)
    if folder.pickled:
        report.warn(
            "pickled_weights",
            "The weights are pickles, which the administrator allows; a version with safetensors "
            "is safer and loads faster.",
        )
    if not folder.tokenizer:
        report.warn(
            "no_tokenizer",
            "The model has no tokenizer: it can only read datasets that are tokenised already.",
        )
    stamp = model_files.stamp(path, folder.names)
    identity = model_files.fingerprint(folder.identity_files)
    report.check_cancelled()

    from mistudio_ext.engine.inspect import inspect_model

    architecture = inspect_model(
        path, model["format"], allow_remote_code, report, allow_pickle=allow_pickle
    )
    tokenizer_files = folder.tokenizer_files
    tokenizer_identity = model_files.fingerprint(tokenizer_files) if tokenizer_files else None
    kept = _kept_tokenizer(model, path, tokenizer_identity)
    tokenizer = _keep_tokenizer(folder, kept, allow_remote_code, limits, report)
    if model_files.stamp(path, folder.names) != stamp:
        raise ConflictError(
            f"The files of {path.name} changed while they were read.",
            code="model_changed",
            field="path",
            hint="Add the model again when its files are complete.",
        )
    if kept is not None:
        kept_tokenizers.finish(kept, tokenizer_identity)
    return {
        "tokenizer": tokenizer,
        "path": str(path),
        "revision": revision,
        "fingerprint": identity,
        "tokenizer_fingerprint": tokenizer_identity,
        "files": {"names": folder.names, "stamp": stamp, "rules": keys.RULES["model"]},
        "size_bytes": folder.size_bytes,
        "in_hf_cache": model["source"] == "hub",
        "downloaded": _note_download(model.get("path"), fetched),
        "format": architecture.get("format") or model["format"] or "fp32",
        "architecture": architecture,
    }


def _note_download(target: str | None, fetched: bool) -> bool:
    """Tell whether the copy in the cache is ours, also if an earlier attempt fetched it."""
    if target is None:
        return fetched
    mark = Path(target) / "downloaded"
    if fetched:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return mark.exists()


def _kept_tokenizer(model: dict[str, Any], path: Path, identity: str | None) -> Path | None:
    """Return the folder for what previews need of a tokenizer; what it had of another is moved."""
    if not model.get("path") or Path(model["path"]).resolve() == path.resolve():
        return None
    target = Path(model["path"])
    kept_tokenizers.begin(target, identity)
    return target


def _keep_tokenizer(
    folder: ModelFolder,
    target: Path | None,
    allow_remote_code: bool,
    limits: DiskLimits,
    report: Reporter,
) -> dict[str, Any] | None:
    """Load the tokenizer once, and keep what the live preview needs of it."""
    if not folder.tokenizer:
        return None
    try:
        encoder = TextEncoder.load(folder.path, allow_remote_code=allow_remote_code)
    except InvalidInputError as error:
        report.warn(error.code, str(error))
        return None
    if target is not None:
        encoder.save_for_preview(target, DiskGuard(target, limits))
    return {**encoder.facts(), "description": encoder.description()}
