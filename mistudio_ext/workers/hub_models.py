"""Which files of a model repository are needed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mistudio_ext.errors import HubError, InvalidInputError
from mistudio_ext.room import DiskLimits
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.hub import Repository, cached_snapshot
from mistudio_ext.workers.model_folder import (
    INDEX,
    SINGLE,
    UNSAFE_SUFFIXES,
    open_model,
    unsafe_weights,
)
from mistudio_ext.workers.text_encoder import TOKENIZER_FILES

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter


def fetch_model(
    repo_id: str,
    revision: str | None,
    *,
    endpoint: str | None,
    with_code: bool,
    limits: DiskLimits,
    report: Reporter,
) -> tuple[Path, str, bool]:
    """Fetch config, tokenizer and safetensors of a model.

    Without the network a whole copy from an earlier time is used, with a warning.

    Returns
    -------
    tuple
        The folder in the Hub's cache, the commit, and whether anything of it was fetched.
    """
    report.phase("downloading", f"Asking the Hub for {repo_id}")
    try:
        repository = Repository(repo_id, "model", revision, endpoint=endpoint)
    except HubError:
        ready = _whole_copy(repo_id, revision)
        if ready is None:
            raise
        report.warn("offline_copy", f"The Hub cannot be reached: the copy of {repo_id} is used.")
        return ready, ready.name, False
    guard = DiskGuard(repository.cache, limits)
    names = list(_small_files(repository, with_code))
    if "config.json" not in names:
        raise _not_a_model(repo_id, "it has no config.json")
    weights = _weights(repository, report)
    fetched = any(not (repository.snapshot / name).exists() for name in weights)
    path = repository.fetch([*names, *weights], guard=guard, report=report)
    return path, repository.commit, fetched


def _whole_copy(repo_id: str, revision: str | None) -> Path | None:
    """Return the cached folder of a model if nothing of it is missing."""
    folder = cached_snapshot(repo_id, "model", revision)
    if folder is None:
        return None
    try:
        return open_model(folder).path
    except InvalidInputError:
        return None


def _small_files(repository: Repository, with_code: bool) -> Iterable[str]:
    wanted = {"config.json", "generation_config.json", INDEX, *TOKENIZER_FILES}
    for name in repository.files:
        if name in wanted or (with_code and "/" not in name and name.endswith(".py")):
            yield name


def _weights(repository: Repository, report: Reporter) -> list[str]:
    if INDEX in repository.files:
        index = repository.fetch([INDEX], report=report) / INDEX
        try:
            names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise _not_a_model(repository.repo_id, f"{INDEX} cannot be read") from error
        missing = [name for name in names if name not in repository.files]
        if missing:
            raise _not_a_model(repository.repo_id, f"{missing[0]} of its weights is missing")
        return names
    if SINGLE in repository.files:
        return [SINGLE]
    if any(Path(name).suffix in UNSAFE_SUFFIXES for name in repository.files if "/" not in name):
        raise unsafe_weights(repository.repo_id, "repo_id")
    raise _not_a_model(repository.repo_id, "it has no safetensors weights")


def _not_a_model(repo_id: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"'{repo_id}' is no model that can be used: {why}.",
        code="not_a_model",
        field="repo_id",
        hint="Choose a repository with config.json, safetensors weights and a tokenizer.",
    )
