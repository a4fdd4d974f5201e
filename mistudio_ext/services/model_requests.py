"""Reading a request for a model: everything checked before anything is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistudio_ext import keys, sample
from mistudio_ext.errors import AccessDeniedError, InvalidInputError
from mistudio_ext.published import already_quantised, may_become, published_format
from mistudio_ext.services import footprint
from mistudio_ext.services.context import Context, Json, content, text_of
from mistudio_ext.services.fields import only_known
from mistudio_ext.services.hub_ids import repo_id
from mistudio_ext.spec import MODEL_FORMATS, fingerprint

_FIELDS = (
    "source",
    "path",
    "repo_id",
    "revision",
    "format",
    "token",
    "name",
    "trust_remote_code",
)
_COMMIT_DIGITS = 40


def asked(request: Json) -> Json:
    """Return the body that :func:`read` made this request of: only what somebody chose."""
    derived = {"format_chosen"} if request.get("format_chosen") else {"format_chosen", "format"}
    return {name: value for name, value in request.items() if name not in derived}


def read(context: Context, body: Json) -> tuple[Json, dict[str, str]]:
    """Check the body of ``POST models``.

    Returns
    -------
    tuple
        What is kept of the request, and its secrets as environment variables.

    Raises
    ------
    InvalidInputError
        With the field at fault.
    AccessDeniedError
        ``remote_code_not_allowed``, or what :meth:`Context.local_path` raises.
    """
    only_known(body, *_FIELDS)
    source = text_of(body, "source")
    request: Json = {"source": source, "format": read_format(body)}
    if chosen := text_of(body, "format"):
        request["format_chosen"] = True
    if source == "sample":
        request["path"] = str(sample.MODEL_DIR)
    elif source == "path":
        request["path"] = str(model_folder(context.local_path(body.get("path"))))
        require_format(Path(request["path"]), chosen)
    elif source == "hub":
        wanted_repo = repo_id(body.get("repo_id"))
        revision = text_of(body, "revision")
        shared = None if revision else context.shared_model(wanted_repo)
        if shared is not None:
            return {**request, "source": "path", "path": str(shared)}, {}
        request["repo_id"] = wanted_repo
        if revision is not None:
            request["revision"] = revision
    else:
        raise InvalidInputError(
            f"A model cannot come from {source!r}.",
            code="bad_source",
            field="source",
            hint="Choose one of sample, path, hub.",
        )
    if _trusts(context, body, request):
        request["trust_remote_code"] = True
    token = text_of(body, "token")
    return request, {"HF_TOKEN": token} if token else {}


def read_format(body: Json) -> str:
    """Return the format of a request, fp32 where it names none."""
    wanted = text_of(body, "format") or "fp32"
    if wanted not in MODEL_FORMATS:
        raise InvalidInputError(
            f"There is no format '{wanted}'.",
            code="bad_format",
            field="format",
            hint=f"Choose one of {', '.join(MODEL_FORMATS)}.",
        )
    footprint.require(wanted, None)
    return wanted


def _trusts(context: Context, body: Json, request: Json) -> bool:
    """Tell whether the model's own code may run: the administrator allows it and the user asks."""
    ticked = body.get("trust_remote_code", False)
    if not isinstance(ticked, bool):
        raise InvalidInputError(
            "trust_remote_code must be true or false.", code="bad_flag", field="trust_remote_code"
        )
    if not ticked:
        return False
    if not context.settings.allow_remote_code:
        raise AccessDeniedError(
            "Code that a model brings along is not run here.",
            code="remote_code_not_allowed",
            field="trust_remote_code",
            hint="Ask the administrator to set allow_remote_code, if you trust the author.",
        )
    if request["source"] == "hub" and not is_commit(request.get("revision")):
        raise InvalidInputError(
            "Code can be trusted only at one revision, so that it cannot change afterwards.",
            code="revision_needed",
            field="revision",
            hint="Give the full commit, which hub/models/{org}/{name} names as revision.",
        )
    return True


def is_commit(revision: str | None) -> bool:
    """Tell whether a revision is a full commit, which cannot change."""
    return (
        revision is not None
        and len(revision) == _COMMIT_DIGITS
        and all(c in "0123456789abcdef" for c in revision)
    )


def model_folder(path: Path) -> Path:
    """Return the path if it is a folder that ``save_pretrained`` could have written.

    Raises
    ------
    InvalidInputError
        If it is not; the worker looks closer.
    """
    hint = "Choose a folder that save_pretrained wrote: config.json and *.safetensors."
    problem = None
    if not path.is_dir():
        problem = "it is not a folder"
    elif not (path / "config.json").is_file() and (path / "adapter_config.json").is_file():
        problem = "it is an adapter"
        hint = "Merge the adapter into its model (merge_and_unload of PEFT), and save the result."
    elif not (path / "config.json").is_file():
        problem = "there is no config.json in it"
    else:
        try:
            config = json.loads((path / "config.json").read_text())
            if not isinstance(config, dict) or "model_type" not in config:
                problem = "its config.json names no model_type"
        except (ValueError, OSError):
            problem = "its config.json cannot be read"
    if problem:
        raise InvalidInputError(
            f"'{path}' is not a model: {problem}.", code="not_a_model", field="path", hint=hint
        )
    return path


def require_format(folder: Path, wanted: str | None) -> None:
    """Raise ``already_quantised`` if a folder's publisher left no choice of the format."""
    try:
        config = json.loads((folder / "config.json").read_text())
        published = published_format(config)
    except (ValueError, OSError, AttributeError):
        return  # The worker says what is wrong with it.
    if published and wanted and not may_become(published, wanted):
        raise already_quantised(folder.name, published, wanted)


def format_of_files(request: Json) -> str | None:
    """Return the format to load, None for whatever the files are in."""
    wanted: str = request["format"]
    return wanted if request.get("format_chosen") or wanted != "fp32" else None


def identity(request: Json) -> str:
    """Return what two requests for the same place in the same format have in common.

    What is in a folder changes; :meth:`ModelService.current` sees to that.
    """
    where: Any = request.get("repo_id") or request.get("path")
    if request["source"] == "sample":
        # The sample is the same in every installation.
        where = content(Path(request["path"]))
    chosen = {name: request.get(name) for name in keys.counted("models", _FIELDS)}
    # Whoever does not tick the code leaves it out.
    given = {k: v for k, v in chosen.items() if v is not None or k != "trust_remote_code"}
    return fingerprint({"where": where, **given})


def default_name(request: Json) -> str:
    """Return the name of a model that was given none."""
    if request["source"] == "sample":
        name = sample.MODEL_NAME
    elif request["source"] == "hub":
        name = request["repo_id"]
    else:
        name = Path(request["path"]).name
    return in_format_name(name, request["format"])


def in_format_name(name: str, wanted: str) -> str:
    """Return a model's name with the format that it is in, fp32 unsaid."""
    return name if wanted == "fp32" else f"{name} ({wanted})"
