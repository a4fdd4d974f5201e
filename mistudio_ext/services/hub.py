"""The Hugging Face Hub: search, and one repository before anything is downloaded."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from mistudio_ext.errors import AccessDeniedError, HubError, NotFoundError
from mistudio_ext.services import machine
from mistudio_ext.services.context import Context, Json, free_bytes
from mistudio_ext.services.hub_cards import configurations
from mistudio_ext.services.hub_formats import formats, read_batch
from mistudio_ext.services.hub_ids import repo_id
from mistudio_ext.services.model_sizes import sizes_of

#: Seconds that one question to the Hub may take, and its optional viewer.
TIMEOUT_S = 10.0
VIEWER_TIMEOUT_S = 5.0

#: Results of a search.
RESULTS = 30

#: Files of a repository that are listed.
FILES = 1000

_FIELDS = ("downloads", "likes", "gated", "private", "lastModified", "tags")
_NEEDED = re.compile(
    r"^(config\.json|generation_config\.json|tokenizer[^/]*|vocab\.\w+|merges\.txt|special_tokens_map\.json|added_tokens\.json"
    r"|chat_template\.\w+|[^/]*\.model)$"
)
_SAFE = re.compile(r"^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$")
_PICKLED = re.compile(r"^pytorch_model(-\d+-of-\d+)?\.bin(\.index\.json)?$")


class HubService:
    """What the Hub knows; nothing is kept, the token least of all."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings

    def search(self, kind: str, query: str | None, token: str | None = None) -> Json:
        """Search datasets or models, the most downloaded first.

        Parameters
        ----------
        kind
            ``datasets`` or ``models``.
        query
            Words of the name; None for the most popular.
        token
            Access token; None for the one in the standard place.
        """
        expand = [*_FIELDS, "pipeline_tag"] if kind == "models" else list(_FIELDS)
        asked: Json = {"sort": "downloads", "direction": -1, "limit": RESULTS, "expand": expand}
        if query:
            asked["search"] = query
        rows = self._get(f"/api/{kind}", query or kind, token, params=asked)
        return {"results": [_summary(row) for row in rows if isinstance(row, dict)]}

    def dataset(self, name: str, token: str | None = None) -> Json:
        """Return configurations, splits, columns, sizes, licence and gating of a dataset."""
        info = self._info("datasets", name, token)
        files = _files(info)
        viewer = self._viewer(info["id"], token)
        return {
            **_described(info, files),
            "accessible": self._accessible("datasets", info, token),
            "configs": configurations(info.get("cardData") or {}, viewer, files),
        }

    def model(
        self,
        name: str,
        token: str | None = None,
        batch_tokens: int | None = None,
        n_hooks: int | None = None,
    ) -> Json:
        """Return parameters, files, licence, gating, and what each format takes.

        The first answer about a config takes some seconds: a worker builds the
        model without weights and counts its tensors.
        """
        info = self._info("models", name, token)
        files = _files(info)
        accessible = self._accessible("models", info, token)
        config = info.get("config") or {}
        if accessible and any(f["path"] == "config.json" for f in files):
            path = f"/{info['id']}/resolve/{info['sha']}/config.json"
            found = self._get(path, info["id"], token)
            config = found if isinstance(found, dict) else config
        tensors = info.get("safetensors") or {}
        counts = {str(k): int(v) for k, v in (tensors.get("parameters") or {}).items()}
        safe = any(f["path"].endswith(".safetensors") for f in files)
        weights = _SAFE if safe else _PICKLED
        download = sum(
            f["bytes"] or 0 for f in files if weights.match(f["path"]) or _NEEDED.match(f["path"])
        )
        free = free_bytes(self._settings.data_dir)
        return {
            **_described(info, files),
            "accessible": accessible,
            "n_params": sum(counts.values()) or None,
            "parameters": counts,
            "config": config,
            "download_bytes": download,
            "disk": {"free": free, "reserve": self._settings.disk_reserve_bytes},
            "remote_code": bool(config.get("auto_map")),
            "unsafe": _unsafe(files, self._settings.allow_pickle),
            **formats(
                counts,
                config,
                download,
                machine.devices(),
                sizes_of(self._context, config),
                read_batch(batch_tokens, n_hooks),
            ),
        }

    # -- questions ---------------------------------------------------------------------------

    def _info(self, kind: str, name: str, token: str | None) -> Json:
        name = repo_id(name)
        info = self._get(f"/api/{kind}/{name}", name, token, params={"blobs": "true"})
        if not isinstance(info, dict) or "id" not in info:
            raise HubError(f"The Hub's answer about '{name}' cannot be read.")
        return info

    def _accessible(self, kind: str, info: Json, token: str | None) -> bool:
        """Tell whether the files of a gated repository may be read."""
        if not info.get("gated"):
            return True
        try:
            self._get(f"/api/{kind}/{info['id']}/auth-check", info["id"], token, parse=False)
        except (AccessDeniedError, NotFoundError):
            return False
        return True

    def _viewer(self, name: str, token: str | None) -> Json:
        """Return the dataset viewer's facts by configuration; empty where there is no viewer."""
        base = self._endpoint()
        if base == "https://huggingface.co":
            base = "https://datasets-server.huggingface.co"
        try:
            found = self._get(
                "/info", name, token, params={"dataset": name}, base=base, timeout=VIEWER_TIMEOUT_S
            )
        except (HubError, NotFoundError, AccessDeniedError):
            return {}  # An extra: the repository itself is described without it.
        facts = found.get("dataset_info") if isinstance(found, dict) else None
        return facts if isinstance(facts, dict) else {}

    def _endpoint(self) -> str:
        from huggingface_hub import constants

        return (self._settings.hub_endpoint or constants.ENDPOINT).rstrip("/")

    def _get(
        self,
        path: str,
        name: str,
        token: str | None,
        *,
        params: Json | None = None,
        base: str | None = None,
        timeout: float = TIMEOUT_S,
        parse: bool = True,
    ) -> Any:
        """Ask once; errors are told as the import job tells them."""
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            get_session,
            hf_raise_for_status,
        )

        from mistudio_ext.workers.hub_errors import translated

        deadline = time.monotonic() + timeout
        with translated(name):
            headers = build_hf_headers(token=token, library_name="mistudio_ext")
            with get_session().stream(
                "GET",
                (base or self._endpoint()) + path,
                params=params,
                headers=headers,
                timeout=timeout,
            ) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline or len(body) > 64 << 20:
                        raise HubError("The Hub's answer took too long.", hint="Try again later.")
                answer._content = bytes(body)
                hf_raise_for_status(answer)
        if not parse:
            return None
        try:
            return json.loads(bytes(body))
        except ValueError as error:
            raise HubError(
                "The Hub's answer is not JSON.", hint="Check hub_endpoint or HF_ENDPOINT."
            ) from error


def _summary(row: Json) -> Json:
    return {
        "repo_id": row.get("id"),
        "downloads": row.get("downloads", 0),
        "likes": row.get("likes", 0),
        "gated": row.get("gated") or False,
        "private": bool(row.get("private")),
        "updated_at": row.get("lastModified"),
        "tags": row.get("tags") or [],
        "pipeline_tag": row.get("pipeline_tag"),
    }


def _files(info: Json) -> list[Json]:
    return [
        {"path": f["rfilename"], "bytes": (f.get("lfs") or {}).get("size") or f.get("size")}
        for f in info.get("siblings") or []
    ]


def _unsafe(files: list[Json], allow_pickle: bool) -> str | None:
    """Return why a repository's weights will not be loaded, None if they will."""
    names = [file["path"] for file in files]
    if any(name.endswith(".safetensors") for name in names):
        return None
    if allow_pickle and any(_PICKLED.match(name) for name in names):
        return None
    if any(name.endswith((".bin", ".pt", ".pth", ".ckpt")) for name in names):
        return "The weights are pickles, which can run any code; only safetensors are loaded."
    return "The repository has no weights."


def _described(info: Json, files: list[Json]) -> Json:
    card = info.get("cardData") or {}
    named = [t[8:] for t in info.get("tags") or [] if t.startswith("license:")]
    return {
        **_summary(info),
        "revision": info.get("sha"),
        "license": card.get("license") or (named[0] if named else None),
        "files": files[:FILES],
        "n_files": len(files),
        "total_bytes": sum(f["bytes"] or 0 for f in files),
    }
