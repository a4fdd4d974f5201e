"""Which files of a dataset repository a configuration and its splits need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError, MiStudioError, NotFoundError
from mistudio_ext.room import DiskLimits
from mistudio_ext.store.readers import Settings
from mistudio_ext.workers.dataset_files import DataFile
from mistudio_ext.workers.dataset_sources import (
    Source,
    SplitSource,
    check_splits,
)
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.folder_layout import CARDS, Layout, read_layout
from mistudio_ext.workers.hub import Repository

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

#: Branch on which the Hub keeps a Parquet copy of most datasets.
PARQUET_BRANCH = "refs/convert/parquet"

_EXPORTED = re.compile(r"^(?P<config>[^/]+)/(?:partial-)?(?P<split>[^/]+)/\d+\.parquet$")


@dataclass(frozen=True)
class HubRequest:
    """What is asked for."""

    repo_id: str
    config: str | None
    revision: str | None
    splits: Sequence[str] | None
    max_rows: int | None
    endpoint: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    text_column: str | None = None


def open_repository(
    request: HubRequest, scratch: Path, limits: DiskLimits, report: Reporter
) -> Source:
    """Find the files of a dataset on the Hub and fetch those that are needed.

    With ``max_rows`` a file is fetched only when the ones before it had too
    few rows.

    Raises
    ------
    MiStudioError
        As :class:`~mistudio_ext.workers.hub.Repository`, and
        ``no_such_config``, ``config_needed``, ``no_such_split``,
        ``unknown_format``.
    """
    report.phase("downloading", f"Asking the Hub for {request.repo_id}")
    repository = Repository(request.repo_id, "dataset", request.revision, endpoint=request.endpoint)
    guard = DiskGuard(repository.cache, limits)
    try:
        layout = _layout(repository, request.config, scratch, guard, report)
    except InvalidInputError as error:
        exported = _exported(request) if error.code == "unknown_format" else None
        if exported is None:
            raise
        repository = exported
        layout = _exported_layout(repository, request.config)
        report.warn(
            "parquet_copy",
            "The Hub's Parquet copy is used, because the repository's own files cannot be read.",
        )
    layout = layout.with_options(request.options, request.text_column, request.repo_id)
    chosen = check_splits(list(layout.files), request.splits)
    files = {name: layout.files[name] for name in layout.files if name in chosen}
    if request.max_rows is None:
        needed = [path for paths in files.values() for path in paths]
        repository.fetch(needed, guard=guard, report=report)
    splits = [
        SplitSource(name, [_file(repository, path, layout, guard, report) for path in paths])
        for name, paths in files.items()
    ]
    return Source(
        splits, layout.config, repository.commit, list(layout.files), left_out=layout.left_out
    )


def _file(
    repository: Repository,
    path: str,
    layout: Layout,
    guard: DiskGuard,
    report: Reporter,
) -> DataFile:
    local = repository.snapshot / path
    file = DataFile(local, layout.reader, layout.settings, layout.features)
    if not local.exists():
        file.fetch = lambda: repository.fetch([path], guard=guard, report=report)
    return file


def _layout(
    repository: Repository, config: str | None, scratch: Path, guard: DiskGuard, report: Reporter
) -> Layout:
    """Let ``datasets`` read the card and the names."""
    cards = [name for name in CARDS if name in repository.files]
    snapshot = repository.fetch(cards, guard=guard, report=report)
    title = repository.repo_id.rsplit("/", 1)[-1]
    try:
        return read_layout(list(repository.files), snapshot, title, config, scratch)
    except MiStudioError as error:
        if error.field == "path":
            error.field = "repo_id"
        raise


def _exported(request: HubRequest) -> Repository | None:
    if request.revision is not None:
        return None
    try:
        found = Repository(request.repo_id, "dataset", PARQUET_BRANCH, endpoint=request.endpoint)
    except NotFoundError:
        return None
    return found if any(_EXPORTED.match(name) for name in found.files) else None


def _exported_layout(repository: Repository, config: str | None) -> Layout:
    configs: dict[str, dict[str, list[str]]] = {}
    for name in sorted(repository.files):
        if match := _EXPORTED.match(name):
            splits = configs.setdefault(match["config"], {})
            splits.setdefault(match["split"], []).append(name)
    if config is None and len(configs) > 1 and "default" not in configs:
        raise InvalidInputError(
            "The dataset has several configurations.",
            code="config_needed",
            field="config",
            hint=f"Choose one of {', '.join(configs)}.",
        )
    config = config or ("default" if "default" in configs else next(iter(configs)))
    if config not in configs:
        raise NotFoundError(
            f"The dataset has no configuration '{config}'.",
            code="no_such_config",
            field="config",
            hint=f"Its configurations are {', '.join(configs)}.",
        )
    return Layout(config, "parquet", Settings(), None, configs[config])
