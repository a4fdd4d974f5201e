"""Every kind of job whose disk is filled while it works: an end, in seconds, and nothing left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.activations import manifest
from mistudio_ext.errors import NoSpaceError
from mistudio_ext.jobs import Message
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import wait
from tests.smalldisk import SmallDisk, mounted

Json = dict[str, Any]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """A disk of 64 MB."""
    with mounted(tmp_path_factory.mktemp("full") / "disk", "64m") as small:
        yield small


@pytest.fixture(scope="module")
def studio(disk: SmallDisk) -> Iterator[Studio]:
    """A studio on it, with sample dataset and model, which keeps no reserve."""
    opened = Studio.open(from_config_files(data_dir=disk.path / "data", disk_reserve_bytes=0))
    for service in (opened.datasets, opened.models):
        _, job = service.create({"source": "sample"})
        assert wait(opened, job)["state"] == "done"
    yield opened
    opened.close()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of texts, on another disk."""
    file = tmp_path / "rows.csv"
    lines = [f"{' '.join(str(n * k % 977) for k in range(1, 60))},{n}" for n in range(8000)]
    file.write_text("\n".join(["text,n", *lines]) + "\n")
    return file


def made_by(kind: str, studio: Studio, rows: Path) -> Json:
    """Start a job of a kind and return it."""
    (sample,) = (d for d in studio.datasets.list() if d["source"] == "sample")
    model = next(m for m in studio.models.list() if m["parent_id"] is None)
    if kind == "dataset.import":
        return dict(studio.datasets.create({"source": "path", "path": str(rows)})[1] or {})
    if kind == "tokenize":
        body = {"model": model["id"], "context": 17}
        return dict(studio.tokenizations.create(sample["id"], body)[1] or {})
    if kind == "model.variant":
        return dict(studio.variants.create(model["id"], {"format": "bf16"})[1] or {})
    if kind == "near-duplicates":
        return dict(studio.near_duplicates.start(sample["id"], {})["job"])
    body = {"model": model["id"], "dataset": sample["id"], "layers": "0", "max_samples": 40}
    return dict(studio.extractions.create(body)[1] or {})


@pytest.mark.parametrize(
    "kind", ["dataset.import", "tokenize", "model.variant", "near-duplicates", "extract"]
)
def test_the_disk_is_filled_when_the_work_begins(
    studio: Studio, disk: SmallDisk, rows: Path, kind: str
) -> None:
    """It ends as failed with no_space, or well if it writes no more; a retry ends well."""
    filled: list[float] = []

    def fill(message: Message) -> None:
        job = message.payload
        at_work = job.get("state") == "running" and job.get("phase") not in (None, "starting")
        if job.get("kind") == kind and at_work and not filled:
            disk.fill()
            filled.append(time.monotonic())

    studio.bus.subscribe(fill)
    try:
        job = made_by(kind, studio, rows)
        ended = wait(studio, job)
    finally:
        studio.bus.unsubscribe(fill)
    assert filled
    assert time.monotonic() - filled[0] < 60
    assert ended["state"] == "done" or ended["error"]["code"] == "no_space", ended["error"]
    half_made = [p for p in (disk.path / "data" / "tmp").rglob("*") if p.is_file()]
    assert half_made == []
    disk.empty()
    if ended["state"] != "done":
        again = studio.jobs.retry(job["id"])
        ended = wait(studio, studio.jobs.view(again))
        assert ended["state"] == "done", ended["error"]


def test_the_manifest_says_that_it_failed(
    studio: Studio, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handle without a server reads it there: room for it was kept."""
    folder = disk.path / "ext"
    manifest.write(folder, {"state": "running", "files": {"a": 1}})
    disk.fill()
    try:
        manifest.update(folder, state="failed", error={"code": "no_space", "message": "Full."})
        assert manifest.read(folder)["error"]["code"] == "no_space"
        with pytest.raises(OSError, match="No space"):
            manifest.write(disk.path / "ext2", {"state": "running"})
    finally:
        disk.empty()
    assert [p.name for p in folder.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.datasets.create({"source": "sample", "max_rows": 7}),
        lambda s: s.models.create({"source": "sample", "format": "fp16"}),
        lambda s: s.templates.create({"name": "t", "spec": {"layers": "0"}}),
    ],
)
def test_what_is_asked_for_on_a_full_disk_is_refused(
    studio: Studio, disk: SmallDisk, ask: Callable[[Studio], object]
) -> None:
    """With 507 and what is free, and nothing of it is registered."""
    before = [r["id"] for r in (*studio.datasets.list(), *studio.models.list())]
    disk.fill()
    try:
        with pytest.raises(NoSpaceError) as caught:
            ask(studio)
    finally:
        disk.empty()
    assert caught.value.status == 507
    assert caught.value.free_bytes is not None
    assert [r["id"] for r in (*studio.datasets.list(), *studio.models.list())] == before
