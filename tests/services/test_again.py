"""The same request again: at the same time, after a failure, after its parts have gone.

One studio for most: its workers stay warm, and imports are made once. Each test asks for what it
needs, so that none needs another one: what is there is found again, and what a test deletes or
changes is its own (another context length, another name).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mistudio_ext import sample
from mistudio_ext.activations import manifest
from mistudio_ext.catalog import ExtractionRecord
from mistudio_ext.services import tokenization_settings
from mistudio_ext.services.context import folder_bytes
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import wait

BODY: dict[str, Any] = {
    "model": "sample-model",
    "dataset": "sample-stories",
    "layers": "0",
    "max_samples": 30,
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of this module."""
    return tmp_path_factory.mktemp("again") / "data"


@pytest.fixture(scope="module")
def studio(data_dir: Path) -> Iterator[Studio]:
    """One studio with the usual settings, with the sample dataset and model."""
    opened = Studio.open(from_config_files(data_dir=data_dir))
    for service in (opened.datasets, opened.models):
        _, job = service.create({"source": "sample"})
        assert wait(opened, job)["state"] == "done"
    yield opened
    opened.close()


def made(studio: Studio, **changes: Any) -> ExtractionRecord:
    """Return an extraction once it is done; one that is there is found again."""
    extraction, job, _ = studio.extractions.create({**BODY, **changes})
    if job is not None:
        assert wait(studio, job)["state"] == "done"
    return studio.extractions.record(extraction["id"])


def test_at_the_same_time(new_studio: Callable[..., Studio]) -> None:
    """Eight threads ask for the same thing and get the same thing."""
    studio = new_studio()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: studio.extractions.create(BODY), range(8)))
    assert len({extraction["id"] for extraction, _, _ in answers}) == 1
    assert sum(started for _, _, started in answers) == 1
    assert len(studio.models.list()) == len(studio.datasets.list()) == 1
    assert wait(studio, answers[0][1])["state"] == "done"


def test_a_warm_worker_writes_the_same_bytes(studio: Studio) -> None:
    """What a worker with the model in memory extracts is what a new one does."""
    first = made(studio, tokenization={"context": 40}, name="one")
    # Other samples, so that nothing is taken over from the first by a link.
    more = made(studio, tokenization={"context": 40}, max_samples=31, name="more")
    folder, name = studio.settings.folder, "blocks.0.hook_resid_post.npy"
    one, two = (np.load(folder.extraction(found.id) / name) for found in (first, more))
    assert len(one) < len(two)
    assert one.tobytes() == two[: len(one)].tobytes()
    processes = [studio.jobs.folder(str(found.job_id)).process() for found in (first, more)]
    assert processes[0] is not None
    assert processes[1] is not None
    assert processes[0]["pid"] == processes[1]["pid"]


def test_few_samples_of_a_long_split_do_not_tokenise_all_of_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first contexts are made, a few more than were asked for, and serve the next ones too."""
    monkeypatch.setattr(tokenization_settings, "LEAST_SAMPLES", 10)
    body = {**BODY, "tokenization": {"context": 24}}
    few, job, _ = studio.extractions.create({**body, "max_samples": 7, "name": "few"})
    assert wait(studio, job)["state"] == "done"
    used = studio.tokenizations.get(few["dataset_id"], few["tokenization_id"])
    assert used["settings"]["max_samples"] == used["n_samples"] == 10
    next_one, job, _ = studio.extractions.create({**body, "max_samples": 9, "name": "next"})
    assert next_one["tokenization_id"] == used["id"]
    assert wait(studio, job)["state"] == "done"
    assert studio.extractions.estimate({**body, "max_samples": 9})["exact"]
    assert not studio.extractions.estimate(body | {"max_samples": 4000})["exact"]
    studio.extractions.delete_many([few["id"], next_one["id"]])


def test_after_what_it_needs_is_gone(studio: Studio) -> None:
    """A cancelled extraction whose tokenization was deleted is made anew, not stuck for ever."""
    body = {**BODY, "tokenization": {"context": 48}}
    before = made(studio, **body, name="before")
    body |= {"max_samples": 60, "name": "two"}
    with studio.jobs.paused():  # However fast the machine is, the job has not begun.
        extraction, job, _ = studio.extractions.create(body)
        assert job is not None
        studio.jobs.cancel(job["id"])
    assert wait(studio, job)["state"] == "cancelled"
    record = studio.extractions.record("two")
    studio.extractions.delete(before.id)
    studio.tokenizations.delete(record.dataset_id, record.tokenization_id)
    assert studio.extractions.get(extraction["id"])["state"] == "cancelled"
    again, job, started = studio.extractions.create(body)
    assert started
    assert wait(studio, job)["state"] == "done"
    assert again["id"] != extraction["id"]
    assert "two" in [e["name"] for e in studio.extractions.list()]
    assert extraction["id"] not in [e["id"] for e in studio.extractions.list()]

    # A new name reaches the folder, so that it opens by that name without a server too.
    studio.extractions.rename(again["id"], "three")
    assert manifest.read(studio.settings.folder.extraction(again["id"]))["name"] == "three"


def test_resume_counts_what_the_disk_holds_already(studio: Studio, data_dir: Path) -> None:
    """The arrays of an interrupted extraction, or of another one, have their room already."""
    body = {**BODY, "layers": "0,1", "tokenization": {"context": 56}, "name": "full"}
    # The engine chooses smaller batches where memory is scarce, and then nothing is linked.
    body["batch_tokens"] = 512
    found = studio.extractions.get(made(studio, **body).id)
    # As if it had been interrupted, and a quarter of its size were left by now.
    record = studio.catalog.extractions.update(found["id"], state="interrupted")
    studio.catalog.jobs.update(str(record.job_id), state="interrupted")
    # A quota, because how much of the disk is free changes while others write.
    quota = folder_bytes(data_dir) + found["bytes"] // 4
    full = Studio.open(from_config_files(data_dir=data_dir, quota_bytes=quota))
    try:
        _, job, started = full.extractions.create(body)
        assert started
        assert wait(full, job)["state"] == "done"
        # One layer is half of it, and there already: it is linked.
        part, job, started = full.extractions.create({**body, "layers": "0", "name": "part"})
        assert started
        assert wait(full, job)["state"] == "done"
        (array,) = full.settings.folder.extraction(part["id"]).glob("blocks.*.npy")
        assert array.stat().st_nlink == 2
    finally:
        full.close()


def test_a_row_whose_server_died_before_the_job(studio: Studio) -> None:
    """Rows without a job are taken up by the next request."""
    dataset = studio.datasets.get(made(studio).dataset_id)
    studio.catalog.datasets.update(dataset["id"], state="pending", job_id=None)
    same, job = studio.datasets.create({"source": "sample"})
    assert same["id"] == dataset["id"]
    assert job is not None
    assert wait(studio, job)["state"] == "done"
    assert studio.datasets.get(dataset["id"])["state"] == "ready"


def test_another_installation_knows_the_sample(
    studio: Studio, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade, or a second clone, has it elsewhere: it is the same, and read from there."""
    variant, job = studio.variants.create(made(studio).model_id, {"format": "bf16"})
    assert wait(studio, job)["state"] == "done"
    known = {record["id"] for record in (*studio.models.list(), *studio.datasets.list())}
    for name in ("MODEL_DIR", "DATASET_DIR"):
        place = tmp_path / name
        shutil.copytree(getattr(sample, name), place, copy_function=shutil.copyfile)
        monkeypatch.setattr(sample, name, place)
    moved = Studio.open(from_config_files(data_dir=data_dir))
    try:
        model, nothing = moved.models.create({"source": "sample"})
        assert nothing is None
        assert model["path"] == str(tmp_path / "MODEL_DIR")
        assert moved.models.get(variant["id"])["path"] == str(tmp_path / "MODEL_DIR")
        _, nothing = moved.datasets.create({"source": "sample"})
        assert nothing is None
        assert {m["id"] for m in (*moved.models.list(), *moved.datasets.list())} == known
        asked = {**BODY, "name": "elsewhere", "max_samples": 5}
        _, job, _ = moved.extractions.create(asked)
        assert wait(moved, job)["state"] == "done"
    finally:
        moved.close()
