"""Quota, reserve, what takes the space, and what is left over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.catalog import ExtractionRecord, ModelRecord
from mistudio_ext.errors import InvalidInputError, NoSpaceError
from mistudio_ext.room import DiskLimits
from mistudio_ext.services.disk_use import disk_use
from mistudio_ext.services.storage import YOUNG_S
from mistudio_ext.store.leftovers import claimed
from mistudio_ext.studio import Studio
from tests.services.conftest import wait

Json = dict[str, Any]


def category(studio: Studio, name: str) -> Json:
    """Return one category of what takes the space."""
    found: Json = next(c for c in studio.storage.usage()["categories"] if c["name"] == name)
    return found


def old(path: Path) -> Path:
    """Make a folder with a file of 8 kB that was made yesterday."""
    path.mkdir(parents=True)
    (path / "part").write_bytes(b"x" * 8192)
    yesterday = time.time() - YOUNG_S - 86400
    os.utime(path, (yesterday, yesterday))
    return path


def test_limits_say_the_numbers() -> None:
    """What is needed, what is there, and which limit it is."""
    limits = DiskLimits(reserve_bytes=10**9, quota_bytes=5 * 10**9, used_bytes=4 * 10**9)
    limits.check("The dataset", 10**9, free=3 * 10**9)
    with pytest.raises(NoSpaceError, match=r"about 2.5 GB, but 3.0 GB are free and 1.0 GB") as disk:
        limits.check("The dataset", 25 * 10**8, free=3 * 10**9)
    assert disk.value.code == "no_space"
    with pytest.raises(NoSpaceError, match=r"4.5 GB of your quota of 5.0 GB are used") as quota:
        limits.check("The dataset", 10**9, free=10**11, written=5 * 10**8)
    assert quota.value.code == "quota_exceeded"
    assert DiskLimits.of(limits.to_dict()) == limits
    DiskLimits().check("Anything", 10**15, free=10**16)


def test_no_kind_of_job_begins_over_the_quota(
    new_studio: Callable[..., Studio], tmp_path: Path
) -> None:
    """Imports fail as they start, uploads and variants of a request at once, with the numbers."""
    studio = new_studio(quota_bytes=10_000)
    old(studio.settings.data_dir / "tmp" / "ballast")
    with pytest.raises(NoSpaceError, match=r"quota of 10\.0 kB"):
        studio.uploads.create({"name": "a.txt", "size": 9_000})
    for service in (studio.datasets, studio.models):
        job = wait(studio, service.create({"source": "sample"})[1])
        assert job["state"] == "failed"
        assert job["error"]["code"] == "quota_exceeded"
        assert "your quota of 10.0 kB" in job["error"]["message"]


def test_the_worker_itself_keeps_the_quota(new_studio: Callable[..., Studio]) -> None:
    """A dataset that would take more than what is left is refused before it is written."""
    studio = new_studio(quota_bytes=2_000_000)
    job = wait(studio, studio.datasets.create({"source": "sample"})[1])
    assert (job["state"], job["error"]["code"]) == ("failed", "quota_exceeded")
    assert studio.storage.usage()["used"] < 2_000_000
    assert studio.storage.usage()["quota"] == 2_000_000


def test_what_takes_the_space(studio: Studio) -> None:
    """Each dataset, tokenization and log with its name, and the sum of all."""
    created, job = studio.datasets.create({"source": "sample"})[:2]
    wait(studio, job)
    usage = studio.storage.usage()
    assert [c["name"] for c in usage["categories"]] == [
        "datasets",
        "models",
        "tokenizations",
        "extractions",
        "uploads",
        "jobs",
        "leftovers",
        "other",
    ]
    datasets = category(studio, "datasets")
    assert [(i["id"], i["name"]) for i in datasets["items"]] == [(created["id"], created["name"])]
    assert datasets["bytes"] > 1_000_000
    # The import starts a job that makes the search index, which may be larger.
    assert job["id"] in [item["id"] for item in category(studio, "jobs")["items"]]
    assert usage["used"] == sum(c["bytes"] for c in usage["categories"])
    assert usage["used"] >= datasets["bytes"] + category(studio, "other")["bytes"] > 0


def test_what_several_share_is_counted_once(studio: Studio) -> None:
    """Arrays with two names, a copy that two models read: deleting one of them frees neither."""
    catalog, root = studio.catalog, studio.settings.data_dir
    for name in ("one", "two"):
        ids = {"model_id": "m", "dataset_id": "d", "tokenization_id": "t"}
        catalog.extractions.add(
            ExtractionRecord(id=name, name=name, fingerprint=name, split="s", spec={}, **ids)
        )
    first, second = old(root / "activations" / "one"), root / "activations" / "two"
    second.mkdir()
    os.link(first / "part", second / "part")
    (second / "own").write_bytes(b"x" * 4096)
    found = category(studio, "extractions")
    assert {item["name"]: item["bytes"] for item in found["items"]} == {"one": 0, "two": 4096}
    assert (found["shared"], found["bytes"]) == (8192, 12288)
    assert (disk_use(first).own, disk_use(first).total) == (0, 8192)
    assert disk_use(first.parent).own == 12288

    for name, path in (("base", "/cache/a"), ("variant", "/cache/a"), ("alone", "/cache/b")):
        facts = {"path": path, "size_bytes": 1000, "in_hf_cache": True, "state": "ready"}
        catalog.models.add(ModelRecord(id=name, name=name, source="hub", identity=name, **facts))
    found = category(studio, "models")
    assert {i["name"]: i["bytes"] for i in found["items"]} == {
        "base": 0,
        "variant": 0,
        "alone": 1000,
    }
    assert (found["shared"], found["bytes"]) == (1000, 2000)
    # What the panel shows is what counts against the quota.
    assert studio.storage.usage()["used"] == studio.storage._context.used_bytes()


def test_the_cache_of_the_hub_and_what_of_it_counts(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole cache is shown beside what counts against the quota."""
    from huggingface_hub import constants

    cache = old(tmp_path / "cache" / "models--other--tool").parent
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert studio.storage.usage()["hub_cache"] == {
        "path": str(cache),
        "bytes": 8192,
        "counted": 0,
    }


def test_leftovers_are_found_and_removed(studio: Studio) -> None:
    """Only what nothing names and nobody works on; a path of one's own cannot be named."""
    root = studio.settings.data_dir
    orphan = old(root / "activations" / "ext_gone")
    half = old(root / "datasets" / "ds_gone.deleting")
    dead = old(root / "tmp" / "ds_dead")
    young = root / "models" / "model_young"
    young.mkdir(parents=True)
    with claimed(root / "tmp" / "ds_alive") as alive:
        old(alive / "split")
        os.utime(alive, (0, 0))
        found = studio.storage.leftovers()
        expected = {f"activations/{orphan.name}", f"datasets/{half.name}", f"tmp/{dead.name}"}
        assert {item["path"] for item in found["items"]} == expected
        assert found["bytes"] >= 3 * 8192
        assert category(studio, "leftovers")["bytes"] == found["bytes"]
        gone = studio.storage.clean(["catalog.sqlite3", "../outside", f"activations/{orphan.name}"])
        assert gone["deleted"] == [f"activations/{orphan.name}"]
        assert gone["freed_bytes"] >= 8192
        assert len(studio.storage.clean()["deleted"]) == 2
        assert alive.exists()
    assert young.exists()
    assert studio.settings.folder.catalog.exists()
    with pytest.raises(InvalidInputError):
        studio.storage.clean("tmp")


def test_a_shared_model_is_not_downloaded(
    new_studio: Callable[..., Studio], tmp_path: Path
) -> None:
    """POST models with a repository that lies in a shared folder registers it in place."""
    from mistudio_ext import sample

    shared = tmp_path / "shared" / "org"
    shared.mkdir(parents=True)
    (shared / "tiny").symlink_to(sample.MODEL_DIR)
    studio = new_studio(shared_model_dirs=[str(shared.parent)])
    created, _job = studio.models.create({"source": "hub", "repo_id": "org/tiny"})
    assert created["source"] == "path"
    assert created["source_path"] == str(shared / "tiny")
