"""What takes the space in the data folder, and what lies there and belongs to nothing."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.jobs.folder import JobFolder
from mistudio_ext.services import hub_cache
from mistudio_ext.services.context import Context, Json, audit, folder_bytes, free_bytes
from mistudio_ext.services.disk_use import Inode, disk_use
from mistudio_ext.store.leftovers import in_use

#: Folder of each category -> its name here and in the panel.
CATEGORIES = {
    "datasets": "datasets",
    "models": "models",
    "tokenizations": "tokenizations",
    "activations": "extractions",
    "uploads": "uploads",
    "jobs": "jobs",
}

#: Seconds for which a folder that nothing names may be one that is just being made.
YOUNG_S = 600.0

#: Jobs whose logs and events are named one by one; the rest is summed up.
JOBS_NAMED = 20


class StorageService:
    """Counts the data folder and cleans it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._root = context.settings.data_dir

    def usage(self) -> Json:
        """Return what takes the space, the largest first.

        Returns
        -------
        dict
            ``{path, free, reserve, quota, used, categories: [{name, bytes, shared,
            items: [{id, name, bytes, parent}]}], hub_cache: {path, bytes, counted}}``.
            An item's bytes are those that deleting it frees; ``shared`` is what
            several items of a category use together. ``parent`` is the dataset of a
            tokenization. Models in the Hub's cache count with their size there;
            ``counted`` is their sum, and the rest of the cache counts nowhere.
        """
        settings = self._context.settings
        categories = [*self._categories(), self._left_over()]
        categories.append(_category("other", [self._other()]))
        cache = hub_cache.folder()
        return {
            "path": str(self._root),
            "free": free_bytes(self._root),
            "reserve": settings.disk_reserve_bytes,
            "quota": settings.quota_bytes or None,
            "used": sum(category["bytes"] for category in categories),
            "categories": categories,
            "hub_cache": {
                "path": str(cache),
                "bytes": disk_use(cache).total,
                "counted": sum(self._cached_models().values()),
            },
        }

    def leftovers(self) -> Json:
        """Return what belongs to nothing: ``{bytes, items: [{path, bytes, reason}]}``."""
        items = [
            {
                "path": str(path.relative_to(self._root)),
                "bytes": disk_use(path).own,
                "reason": reason,
            }
            for path, reason in self._find_leftovers()
        ]
        return {"bytes": sum(item["bytes"] for item in items), "items": items}

    def clean(self, paths: Any = None) -> Json:
        """Remove leftovers: those of these paths, or all.

        Returns
        -------
        dict
            ``{"deleted": [paths], "freed_bytes": int}``. A path that is no
            leftover (any more) is passed over.

        Raises
        ------
        InvalidInputError
            If ``paths`` is not a list of texts.
        """
        if paths is not None and not (
            isinstance(paths, list) and all(isinstance(path, str) for path in paths)
        ):
            raise InvalidInputError(
                "paths must be a list of paths that GET system/leftovers names.",
                code="bad_paths",
                field="paths",
            )
        deleted: list[str] = []
        freed = 0
        # What is found now, never what is asked for: nobody can name a path of his own.
        for path, reason in list(self._find_leftovers()):
            name = str(path.relative_to(self._root))
            if paths is None or name in paths:
                freed += _remove(path)
                deleted.append(name)
                audit.info("removed leftover %s: %s", name, reason)
        return {"deleted": deleted, "freed_bytes": freed}

    # -- counting ------------------------------------------------------------------------------

    def _categories(self) -> Iterator[Json]:
        catalog = self._context.catalog
        datasets = {dataset.id: dataset.name for dataset in catalog.datasets.list()}
        yield _category("datasets", [self._item("datasets", *pair) for pair in datasets.items()])
        yield self._models()
        yield _category(
            "tokenizations",
            [
                self._item(
                    "tokenizations",
                    record.id,
                    f"{datasets.get(record.dataset_id, record.dataset_id)} / {record.split}",
                    parent=record.dataset_id,
                )
                for record in catalog.tokenizations.list()
            ],
        )
        yield self._extractions()
        yield _category(
            "uploads", [self._item("uploads", uid, uid) for uid in self._names("uploads")]
        )
        jobs = [self._item("jobs", job.id, job.target_name) for job in catalog.jobs.list()]
        jobs.sort(key=lambda item: -item["bytes"])
        yield {**_category("jobs", jobs), "items": jobs[:JOBS_NAMED]}

    def _models(self) -> Json:
        """Return the models; a cached copy that several read belongs to none of them."""
        records = self._context.catalog.models.list()
        cached = self._cached_models()
        readers = Counter(model.path for model in records)
        items = []
        for model in records:
            item = self._item("models", model.id, model.name)
            if model.in_hf_cache and readers[model.path] == 1:
                item["bytes"] += cached.get(model.path, 0)
            items.append(item)
        shared = sum(size for path, size in cached.items() if readers[path] > 1)
        return _category("models", items, shared)

    def _cached_models(self) -> dict[str | None, int]:
        """Return path -> bytes of the models of the catalog that lie in the Hub's cache."""
        records = self._context.catalog.models.list()
        return {model.path: model.size_bytes or 0 for model in records if model.in_hf_cache}

    def _extractions(self) -> Json:
        """Return the extractions; an array that several hold as hard links belongs to none."""
        items: list[Json] = []
        shared: dict[Inode, int] = {}
        for record in self._context.catalog.extractions.list():
            use = disk_use(self._root / "activations" / record.id)
            items.append({"id": record.id, "name": record.name, "bytes": use.own})
            shared |= use.shared
        return _category("extractions", items, sum(shared.values()))

    def _left_over(self) -> Json:
        found = self.leftovers()["items"]
        items = [{"id": i["path"], "name": i["path"], "bytes": i["bytes"]} for i in found]
        return _category("leftovers", items)

    def _other(self) -> Json:
        """Return the catalog, tokenizers, and what workers are just making."""
        rest = sum(
            disk_use(path).total for path in self._root.glob("*") if path.name not in CATEGORIES
        )
        left = sum(
            disk_use(path).total
            for path, _ in self._find_leftovers()
            if path.relative_to(self._root).parts[0] not in CATEGORIES
        )
        return {
            "id": "other",
            "name": "catalog, tokenizers, work in progress",
            "bytes": max(0, rest - left),
        }

    def _item(self, part: str, row_id: str, name: str, **more: Any) -> Json:
        return {"id": row_id, "name": name, "bytes": self._folder(part, row_id), **more}

    def _folder(self, part: str, row_id: str) -> int:
        return folder_bytes(self._root / part / row_id)

    # -- leftovers -----------------------------------------------------------------------------

    def _find_leftovers(self) -> Iterator[tuple[Path, str]]:
        catalog = self._context.catalog
        tables: dict[str, Any] = {
            "datasets": catalog.datasets,
            "models": catalog.models,
            "tokenizations": catalog.tokenizations,
            "activations": catalog.extractions,
            "jobs": catalog.jobs,
        }
        for part, table in tables.items():
            for name in self._names(part):
                path = self._root / part / name
                if name.endswith(".deleting"):
                    yield path, "half deleted"
                elif not _young(path) and table.find(id=name) is None:
                    if part == "jobs" and JobFolder(path).worker_lives():
                        continue
                    yield path, "nothing in the catalog names it"
        for name in self._names("tmp"):
            path = self._root / "tmp" / name
            if not name.endswith(".lock") and not _young(path) and not in_use(path):
                yield path, "left half-made by a worker that died"

    def _names(self, part: str) -> list[str]:
        folder = self._root / part
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _category(name: str, items: list[Json], shared: int = 0) -> Json:
    items = sorted(items, key=lambda item: -item["bytes"])
    n_bytes = sum(item["bytes"] for item in items) + shared
    return {"name": name, "bytes": n_bytes, "shared": shared, "items": items}


def _remove(path: Path) -> int:
    """Delete a file or folder and return the bytes that it took."""
    freed = disk_use(path).own
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return freed - disk_use(path).own


def _young(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime < YOUNG_S
    except FileNotFoundError:
        return True  # It is gone, or has become what it was made for.
