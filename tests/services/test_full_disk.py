"""Every kind of job whose disk is filled while it works: an end, in seconds, and nothing left."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.activations import manifest
from mistudio_ext.catalog import Catalog
from mistudio_ext.disk.full import is_full
from mistudio_ext.errors import NoSpaceError
from mistudio_ext.jobs import Message
from mistudio_ext.sample import MODEL_DIR
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from mistudio_ext.workers.__main__ import KINDS, describe
from tests.hubsim import HubSim, hub_root
from tests.services.conftest import wait
from tests.smalldisk import SmallDisk, mounted
from tests.workers.recorder import Recorder

__all__ = ["hub_root"]

Json = dict[str, Any]

#: What statistics say that no index and no other job changes.
SAME = ("kind", "column", "n_samples", "n_bytes")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """A disk of 64 MB."""
    with mounted(tmp_path_factory.mktemp("full") / "disk", "64m") as small:
        yield small


@pytest.fixture(scope="module")
def simulated(hub_root: Path) -> Iterator[HubSim]:
    """A Hub for all tests of this file."""
    with HubSim(hub_root) as running:
        yield running


@pytest.fixture(scope="module")
def studio(disk: SmallDisk, simulated: HubSim) -> Iterator[Studio]:
    """A studio on it, with sample dataset and model, which keeps no reserve."""
    settings = from_config_files(
        data_dir=disk.path / "data", disk_reserve_bytes=0, hub_endpoint=simulated.url
    )
    opened = Studio.open(settings)
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


def disk_of(studio: Studio) -> Path:
    """Return the data folder."""
    return studio.settings.data_dir


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
    if kind == "model.import":
        return dict(studio.models.create({"source": "hub", "repo_id": "demo/stories"})[1] or {})
    if kind == "tokenizer.read":
        params = {"path": str(MODEL_DIR), "fingerprint": "0123"}
        target = ("tokenizer", params["fingerprint"], "model")
        return studio.jobs.view(studio.jobs.submit(kind, target, params))
    if kind == "index":
        for file in (disk_of(studio) / "datasets" / sample["id"]).rglob("index*"):
            file.unlink()
        target = ("dataset", sample["id"], sample["name"])
        return studio.jobs.view(studio.jobs.submit(kind, target, {"dataset": sample["id"]}))
    if kind == "tokenization.export":
        tokens, job, *_ = studio.tokenizations.create(
            sample["id"], {"model": model["id"], "context": 33}
        )
        if job is not None:
            assert wait(studio, job)["state"] == "done"
        return dict(studio.exports.start(sample["id"], tokens["id"], {})["job"])
    body = {"model": model["id"], "dataset": sample["id"], "layers": "0", "max_samples": 40}
    return dict(studio.extractions.create(body)[1] or {})


#: Kinds of job whose full disk is found by the operating system, not by a look beforehand.
WRITING = ["dataset.import", "tokenize", "index", "model.import"]


@pytest.mark.parametrize("kind", [*WRITING, "model.variant", "near-duplicates", "extract"])
def test_the_disk_is_filled_when_the_work_begins(
    studio: Studio,
    disk: SmallDisk,
    simulated: HubSim,
    rows: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends as failed with no_space, or well if it writes no more; a retry ends well."""
    filled: list[float] = []
    for name, value in simulated.env(hf_home=disk.path / "hub").items():
        monkeypatch.setenv(name, value)

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
        disk.empty()
    assert filled
    assert time.monotonic() - filled[0] < 60
    assert ended["state"] == "done" or ended["error"]["code"] == "no_space", ended["error"]
    assert half_made(disk) == []
    if kind in WRITING and ended["state"] == "failed":
        # A fast job may have written all before the disk was full; it is whole then.
        assert ended["error"]["free_bytes"] is not None
        log = studio.jobs.folder(job["id"]).log_tail(100)[0]
        assert log.count("no_space") == 1
        assert "Traceback" not in log
    if ended["state"] != "done":
        again = studio.jobs.retry(job["id"])
        ended = wait(studio, studio.jobs.view(again))
        assert ended["state"] == "done", ended["error"]


class Filling(Recorder):
    """A reporter that fills a disk when a job begins to work."""

    def __init__(self, disk: SmallDisk) -> None:
        super().__init__()
        self._disk = disk

    def phase(self, name: str, message: str = "") -> None:
        super().phase(name, message)
        self._disk.fill()


@pytest.mark.parametrize("kind", ["tokenization.export", "tokenizer.read"])
def test_work_that_is_done_in_no_time(
    studio: Studio, disk: SmallDisk, rows: Path, kind: str
) -> None:
    """Faster than a test could fill the disk from outside, so the work itself is called."""
    job = made_by(kind, studio, rows)
    assert wait(studio, job)["state"] == "done"
    spec = json.loads((disk_of(studio) / "jobs" / job["id"] / "spec.json").read_text())
    work = importlib.import_module(KINDS[kind])
    made = [p for p in disk_of(studio).rglob("*") if "jobs" not in p.parts and p.is_file()]
    try:
        with pytest.raises(Exception, match=r".") as caught:
            work.run(spec, Filling(disk))
        assert is_full(caught.value)
        assert describe(caught.value, [disk.path]).code == "no_space"
        after = [p for p in disk_of(studio).rglob("*") if "jobs" not in p.parts and p.is_file()]
        assert sorted(after) == sorted(made)
    finally:
        disk.empty()
    assert work.run(spec, Recorder())["path"]


def half_made(disk: SmallDisk) -> list[Path]:
    """Return what nobody works on any more, and would be there for ever."""
    patterns = ("tmp/*", "**/*.part", "**/*.tmp", "**/index.building*")
    data = disk.path / "data"
    return [path for pattern in patterns for path in data.glob(pattern)]


def test_uploads(studio: Studio, disk: SmallDisk) -> None:
    """A piece on a full disk is refused with what is missing, and what came is kept."""
    before = list((disk_of(studio) / "uploads").glob("*"))
    size = 3 << 20
    uid = studio.uploads.create({"name": "a.txt", "size": size})["id"]
    piece, _ = studio.uploads.begin(uid, f"bytes 0-{size - 1}/{size}", None)
    piece.write(b"a" * (1 << 20))
    disk.fill()
    try:
        with pytest.raises(NoSpaceError) as caught:
            piece.write(b"b" * (1 << 20))
        studio.uploads.end(uid, piece)
        assert (caught.value.status, caught.value.free_bytes) == (507, 0)
        assert caught.value.needed_bytes == 2 << 20
        with pytest.raises(NoSpaceError):
            studio.uploads.create({"name": "b.txt", "size": 1})
    finally:
        disk.empty()
    assert len(list((disk_of(studio) / "uploads").glob("*"))) == len(before) + 1
    offset = studio.uploads.get(uid)["offset"]
    assert offset == 1 << 20
    piece, _ = studio.uploads.begin(uid, f"bytes {offset}-{size - 1}/{size}", None)
    piece.write(b"b" * (size - offset))
    studio.uploads.end(uid, piece)
    assert studio.uploads.path(uid).read_bytes() == b"a" * (1 << 20) + b"b" * (2 << 20)


def test_statistics_are_told_though_they_cannot_be_kept(studio: Studio, disk: SmallDisk) -> None:
    """Nothing is half written, and they are kept when there is room."""
    (sample,) = (d for d in studio.datasets.list() if d["source"] == "sample")
    folder = disk_of(studio) / "datasets" / sample["id"]
    studio.dataset_views.statistics(sample["id"])
    for file in folder.rglob("*statistics.json"):
        file.unlink()
    disk.fill()
    try:
        found = studio.dataset_views.statistics(sample["id"])
        assert list(folder.rglob("*statistics.json*")) == []
    finally:
        disk.empty()
    again = studio.dataset_views.statistics(sample["id"])
    assert [found[name] for name in SAME] == [again[name] for name in SAME]
    assert list(folder.rglob("*statistics.json"))


def test_a_tokenizer_that_a_preview_needs(studio: Studio, disk: SmallDisk, tmp_path: Path) -> None:
    """The request is refused as one that found a full disk, not as a wrong one."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((MODEL_DIR / name).read_bytes())
    body = {"tokenizer": str(folder), "texts": ["Once upon a time"], "context": 16}
    filled = False

    def fill(message: Message) -> None:
        nonlocal filled
        job = message.payload
        if job.get("kind") == "tokenizer.read" and job.get("phase") and not filled:
            filled = True
            disk.fill()

    studio.bus.subscribe(fill)
    try:
        with pytest.raises(NoSpaceError) as caught:
            studio.previews.preview(body)
    finally:
        studio.bus.unsubscribe(fill)
        disk.empty()
    assert (caught.value.status, caught.value.code) == (507, "no_space")
    assert studio.previews.preview(body)


def test_a_catalog_that_cannot_be_opened(disk: SmallDisk) -> None:
    """The start-up says what it was, and so do doctor and the command line."""
    disk.fill()
    try:
        with pytest.raises(NoSpaceError, match=str(disk.path)) as caught:
            Catalog(f"sqlite:///{disk.path / 'other' / 'catalog.sqlite3'}")
    finally:
        disk.empty()
    assert caught.value.status == 507
    assert caught.value.hint


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
