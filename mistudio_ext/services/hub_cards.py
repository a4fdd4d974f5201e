"""Configurations and splits of a dataset repository, from card, viewer, or file names."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

from mistudio_ext.services.context import Json
from mistudio_ext.store.files import FORMATS, split_extension

_SPLITS = (
    ("validation", re.compile(r"(^|[^a-z])(validation|valid|dev|val)([^a-z]|$)")),
    ("test", re.compile(r"(^|[^a-z])(test|testing|eval|evaluation)([^a-z]|$)")),
)


def configurations(card: Json, viewer: Json, files: list[Json]) -> list[Json]:
    """Return ``[{name, default, splits: [{name, n_rows, n_bytes, download_bytes}], columns}]``.

    Parameters
    ----------
    card
        The card's metadata.
    viewer
        The dataset viewer's facts by configuration; may be empty.
    files
        ``[{path, bytes}]`` of the repository.
    """
    data = [f for f in files if split_extension(f["path"])[0] in FORMATS]
    listed = {c["config_name"]: c for c in _dicts(card.get("configs")) if "config_name" in c}
    facts = {i.get("config_name", "default"): i for i in _dicts(card.get("dataset_info"))}
    facts |= {name: info for name, info in viewer.items() if isinstance(info, dict)}
    names = list(dict.fromkeys([*listed, *facts])) or (["default"] if data else [])
    rows = []
    for name in names:
        splits = _listed_splits(listed[name], data) if name in listed else {}
        for split in _splits(facts.get(name, {})):
            known = splits.setdefault(split["name"], _split(split["name"]))
            known["n_rows"], known["n_bytes"] = split.get("num_examples"), split.get("num_bytes")
        if not splits and len(names) == 1:
            splits = _guessed_splits(data)
        default = bool(listed.get(name, {}).get("default")) or len(names) == 1 or name == "default"
        rows.append(
            {
                "name": name,
                "default": default,
                "splits": list(splits.values()),
                "columns": _columns(facts.get(name, {}).get("features")),
            }
        )
    return rows


def _listed_splits(config: Json, data: list[Json]) -> dict[str, Json]:
    entries = config.get("data_files")
    if isinstance(entries, dict) and "path" not in entries:
        entries = [{"split": split, "path": path} for split, path in entries.items()]
    splits: dict[str, Json] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, str):
            entry = {"split": "train", "path": entry}
        if not isinstance(entry, dict):
            continue
        paths = entry.get("path")
        patterns = [paths] if isinstance(paths, str) else paths or []
        split = splits.setdefault(str(entry.get("split", "train")), _split(entry.get("split")))
        matched = [f for f in data if any(fnmatch(f["path"], str(p)) for p in patterns)]
        split["download_bytes"] = sum(f["bytes"] or 0 for f in matched)
    return splits


def _guessed_splits(data: list[Json]) -> dict[str, Json]:
    splits: dict[str, Json] = {}
    for file in data:
        path = file["path"].lower()
        name = next((name for name, mark in _SPLITS if mark.search(path)), "train")
        split = splits.setdefault(name, _split(name))
        split["download_bytes"] = (split["download_bytes"] or 0) + (file["bytes"] or 0)
    return splits


def _split(name: Any) -> Json:
    return {"name": str(name or "train"), "n_rows": None, "n_bytes": None, "download_bytes": None}


def _splits(facts: Json) -> list[Json]:
    found = facts.get("splits")
    if isinstance(found, dict):
        found = [{"name": name, **split} for name, split in found.items()]
    return [s for s in _dicts(found) if "name" in s]


def _columns(features: Any) -> list[Json] | None:
    if isinstance(features, dict):
        features = [
            {"name": k, **(v if isinstance(v, dict) else {"dtype": "list"})}
            for k, v in features.items()
        ]
    rows = [f for f in _dicts(features) if "name" in f]
    found = [{"name": f["name"], "dtype": str(f.get("dtype") or f.get("_type"))} for f in rows]
    return found or None


def _dicts(value: Any) -> list[Json]:
    values = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [v for v in values if isinstance(v, dict)]
