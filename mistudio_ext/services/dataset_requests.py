"""What a request for a new dataset may say, checked before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mistudio_ext import keys, sample
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Context, Json, content, text_of
from mistudio_ext.services.fields import only_known
from mistudio_ext.services.file_options import file_options
from mistudio_ext.services.hub_ids import repo_id
from mistudio_ext.services.uploads import UploadService
from mistudio_ext.source_files import signature
from mistudio_ext.spec import fingerprint

_FIELDS = (
    "source",
    "path",
    "upload",
    "repo_id",
    "config",
    "revision",
    "split",
    "splits",
    "columns",
    "text_column",
    "name",
    "max_rows",
    "token",
    "options",
)

#: What decides which rows a dataset has: all that a request says, but for what is named there.
_CHOICES = keys.counted("datasets", _FIELDS)


def read_request(
    context: Context, uploads: UploadService, body: Json
) -> tuple[Json, dict[str, str]]:
    """Check a request; return what is kept of it, and its secrets.

    Raises
    ------
    MiStudioError
        Naming the field that is wrong.
    """
    only_known(body, *_FIELDS)
    request = _source(context, uploads, body)
    for name in ("config", "revision", "text_column"):
        if (text := text_of(body, name)) is not None:
            request[name] = text
    splits = body.get("splits") or ([body["split"]] if body.get("split") else None)
    for name, value in (("splits", splits), ("columns", body.get("columns"))):
        if value:
            request[name] = _names(value, name)
    if body.get("max_rows") is not None:
        request["max_rows"] = _positive(body["max_rows"], "max_rows")
    if body.get("options"):
        request["options"] = file_options(body["options"])
    token = text_of(body, "token")
    return request, {"HF_TOKEN": token} if token else {}


def _source(context: Context, uploads: UploadService, body: Json) -> Json:
    source = text_of(body, "source")
    request: Json = {"source": source}
    if source == "sample":
        request["path"] = str(sample.DATASET_DIR)
    elif source == "path":
        request["path"] = str(context.local_path(body.get("path")))
    elif source == "upload":
        request["path"] = str(uploads.path(body.get("upload")))
        request["upload"] = body["upload"]
    elif source == "hub":
        request["repo_id"] = repo_id(body.get("repo_id"))
    else:
        raise InvalidInputError(
            f"A dataset cannot come from {source!r}.",
            code="bad_source",
            field="source",
            hint="Choose one of sample, path, upload, hub.",
        )
    return request


def identity(request: Json, read: str | None = None) -> str:
    """Return what is the same for requests of the same data, read by the same rules.

    Parameters
    ----------
    request
        As :func:`read_request` gives it.
    read
        Signature of the files that were read; None takes that of those that lie there now.
    """
    choices = {name: request.get(name) for name in _CHOICES}
    if request["source"] == "sample":
        # It is the same in every installation, and of a kind that no rule has changed.
        where = content(Path(request["path"]))
        return fingerprint({"source": "sample", "where": where, **choices})
    where = str(request.get("repo_id"))
    if request["source"] != "hub":
        where = read or signature(Path(request["path"]))
    facts = {"source": request["source"], "where": where, "rules": keys.RULES["dataset"]}
    return fingerprint({**facts, **choices})


def same_place(request: Json, other: Json) -> bool:
    """Tell whether two requests read the same path in the same way, whatever lies there."""
    names = ("source", "path", *_CHOICES)
    return request["source"] == "path" and all(request.get(n) == other.get(n) for n in names)


def default_name(request: Json) -> str:
    """Return the name of a dataset that was given none."""
    if request["source"] == "sample":
        return sample.DATASET_NAME
    if request["source"] == "hub":
        name: str = request["repo_id"]
        return f"{name}:{request['config']}" if request.get("config") else name
    path = Path(request["path"])
    return path.name if path.is_dir() else path.name.split(".")[0]


def _names(value: Any, field: str) -> list[str]:
    if isinstance(value, list) and all(isinstance(v, str) and v for v in value):
        return value
    raise InvalidInputError(f"{field} must be a list of names.", code="bad_names", field=field)


def _positive(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(
            f"{field} must be a whole number of at least 1.", code="bad_number", field=field
        )
    return value
