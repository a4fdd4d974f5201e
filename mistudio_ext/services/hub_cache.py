"""The Hugging Face cache on this machine: what lies there, and freeing what we put there."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from mistudio_ext.services.context import Context, Json


def models(context: Context) -> Json:
    """Return the whole models of the cache, for registering them without a download.

    Returns
    -------
    dict
        ``{repositories: [{repo_id, revision, refs, size_bytes, registered, safe}]}``;
        ``registered`` is the id of the model in the catalog, ``safe`` tells
        that its weights may be loaded: safetensors, or pickles where they are allowed.
    """
    known = {record.path: record.id for record in context.catalog.models.list() if record.path}
    rows = []
    for repo in _repositories():
        if repo.repo_type != "model":
            continue
        for revision in repo.revisions:
            names = {Path(file.file_path).name for file in revision.files}
            weights = [name for name in names if name.endswith((".safetensors", ".bin"))]
            if "config.json" not in names or not weights:
                continue
            pickles = context.settings.allow_pickle and any(n.endswith(".bin") for n in weights)
            rows.append(
                {
                    "repo_id": repo.repo_id,
                    "revision": revision.commit_hash,
                    "refs": sorted(revision.refs),
                    "size_bytes": revision.size_on_disk,
                    "registered": known.get(str(revision.snapshot_path)),
                    "safe": pickles or any(n.endswith(".safetensors") for n in weights),
                }
            )
    return {"repositories": sorted(rows, key=lambda row: str(row["repo_id"]))}


def folder() -> Path:
    """Return where the cache is on this machine, there or not."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def folders(context: Context) -> Json:
    """Return the models in the shared folders: ``{folders: [{path, name, size_bytes, …}]}``."""
    known = {record.path: record.id for record in context.catalog.models.list() if record.path}
    rows = []
    for root in context.settings.shared_model_dirs:
        for config in sorted((*root.glob("*/config.json"), *root.glob("*/*/config.json"))):
            folder = config.parent
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
                rows.append(
                    {
                        "path": str(folder),
                        "name": str(folder.relative_to(root)),
                        "size_bytes": size,
                        "shared": True,
                        "registered": known.get(str(folder)) or known.get(str(folder.resolve())),
                    }
                )
    return {"folders": rows}


def frees(commit: str) -> int:
    """Return the bytes that freeing this revision of a model would free."""
    found = _strategy(commit)
    return int(found.expected_freed_size) if found else 0


def free(commit: str) -> int:
    """Remove a revision of a model from the cache; files that other revisions use stay."""
    found = _strategy(commit)
    if found is None:
        return 0
    found.execute()
    return int(found.expected_freed_size)


def _strategy(commit: str) -> Any:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        scanned = scan_cache_dir()
    except CacheNotFound:
        return None
    there = {r.commit_hash for repo in scanned.repos for r in repo.revisions}
    return scanned.delete_revisions(commit) if commit in there else None


def _repositories() -> list[Any]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return list(scan_cache_dir().repos)
    except CacheNotFound:
        return []
