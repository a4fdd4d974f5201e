"""Studios over data folders of their own, with real workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.jobs.kinds import ENDED
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio

Json = dict[str, Any]


@pytest.fixture
def new_studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Open studios with settings; all are closed at the end."""
    opened: list[Studio] = []

    def new(**settings: Any) -> Studio:
        opened.append(Studio.open(from_config_files(data_dir=tmp_path / "data", **settings)))
        return opened[-1]

    yield new
    for studio in opened:
        for job in studio.jobs.all(state=("queued", "running")):
            studio.jobs.cancel(job.id)
            wait(studio, studio.jobs.view(job))
        studio.close()


@pytest.fixture
def studio(new_studio: Callable[..., Studio]) -> Studio:
    """One studio with the usual settings."""
    return new_studio()


def wait(studio: Studio, job: Json | None) -> Json:
    """Wait until a job has ended and return it."""
    assert job is not None
    while (found := studio.jobs.wait(job["id"])).state not in ENDED:
        pass
    return studio.jobs.view(found)


def left_over(studio: Studio) -> list[str]:
    """Return the files in the data folder that belong to datasets, tokenizations or arrays."""
    root = studio.settings.data_dir
    return [
        str(path.relative_to(root))
        for part in ("datasets", "tokenizations", "activations", "models", "tmp")
        for path in (root / part).rglob("*")
        if path.is_file()
    ]
