"""Which files of a model repository are needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mistudio_ext.errors import HubError, InvalidInputError
from mistudio_ext.room import DiskLimits
from mistudio_ext.store.files import TOKENIZER_FILES
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.hub import Repository, cached_snapshot
from mistudio_ext.workers.model_folder import (
    INDEX,
    PICKLE_INDEX,
    SINGLE,
    open_model,
    unsafe_weights,
    weights_among,
)

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter


def fetch_model(
    repo_id: str,
    revision: str | None,
    *,
    endpoint: str | None,
    with_code: bool,
    allow_pickle: bool,
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
        ready = _whole_copy(repo_id, revision, allow_pickle)
        if ready is None:
            raise
        report.warn("offline_copy", f"The Hub cannot be reached: the copy of {repo_id} is used.")
        return ready, ready.name, False
    guard = DiskGuard(repository.cache, limits)
    names = list(_small_files(repository, with_code))
    if "config.json" not in names:
        if "adapter_config.json" in repository.files:
            raise _not_a_model(repo_id, "it is an adapter; merge it into its model first")
        raise _not_a_model(repo_id, "it has no config.json")
    weights = _weights(repository, guard, report, allow_pickle)
    fetched = any(not (repository.snapshot / name).exists() for name in weights)
    path = repository.fetch([*names, *weights], guard=guard, report=report)
    return path, repository.commit, fetched


def _whole_copy(repo_id: str, revision: str | None, allow_pickle: bool) -> Path | None:
    """Return the cached folder of a model if nothing of it is missing."""
    folder = cached_snapshot(repo_id, "model", revision)
    if folder is None:
        return None
    try:
        return open_model(folder, allow_pickle=allow_pickle).path
    except InvalidInputError:
        return None


def _small_files(repository: Repository, with_code: bool) -> Iterable[str]:
    wanted = {"config.json", "generation_config.json", INDEX, *TOKENIZER_FILES}
    if INDEX not in repository.files and SINGLE not in repository.files:
        wanted.add(PICKLE_INDEX)
    for name in repository.files:
        if name in wanted or (with_code and "/" not in name and name.endswith(".py")):
            yield name


def _weights(
    repository: Repository, guard: DiskGuard, report: Reporter, allow_pickle: bool
) -> list[str]:
    def text_of(name: str) -> str:
        folder = repository.fetch([name], guard=guard, report=report)
        return (folder / name).read_text("utf-8")

    return weights_among(
        repository.files,
        text_of,
        lambda why: _not_a_model(repository.repo_id, why),
        lambda: unsafe_weights(repository.repo_id, "repo_id"),
        allow_pickle=allow_pickle,
    )


def _not_a_model(repo_id: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"'{repo_id}' is no model that can be used: {why}.",
        code="not_a_model",
        field="repo_id",
        hint="Choose a repository with config.json, safetensors weights and a tokenizer.",
    )
