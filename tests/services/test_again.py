"""The same request again: at the same time, after a failure, after its parts have gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mistudio_ext.activations import manifest
from mistudio_ext.studio import Studio
from tests.services.conftest import wait

BODY: dict[str, Any] = {
    "model": "sample-model",
    "dataset": "sample-stories",
    "layers": "0",
    "max_samples": 30,
    "name": "one",
}


def test_at_the_same_time(studio: Studio) -> None:
    """Eight threads ask for the same thing and get the same thing."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: studio.extractions.create(BODY), range(8)))
    assert len({extraction["id"] for extraction, _, _ in answers}) == 1
    assert sum(started for _, _, started in answers) == 1
    assert len(studio.models.list()) == len(studio.datasets.list()) == 1
    studio.jobs.cancel(answers[0][0]["job_id"])


def test_after_what_it_needs_is_gone(studio: Studio) -> None:
    """A cancelled extraction whose tokenization was deleted is made anew, not stuck for ever."""
    extraction, job, _ = studio.extractions.create(BODY)
    assert job is not None
    studio.jobs.cancel(job["id"])
    assert wait(studio, job)["state"] == "cancelled"
    record = studio.extractions.record("one")
    tokenization = studio.catalog.tokenizations.get(record.tokenization_id)
    wait(studio, {"id": tokenization.job_id})
    studio.tokenizations.delete(record.dataset_id, record.tokenization_id)
    assert studio.extractions.get(extraction["id"])["state"] == "cancelled"
    again, job, started = studio.extractions.create(BODY)
    assert started
    assert wait(studio, job)["state"] == "done"
    assert [e["name"] for e in studio.extractions.list()] == ["one"]

    # A new name reaches the folder, so that it opens by that name without a server too.
    studio.extractions.rename(again["id"], "two")
    assert manifest.read(studio.settings.folder.extraction(again["id"]))["name"] == "two"


def test_resume_counts_what_the_disk_holds_already(new_studio: Callable[..., Studio]) -> None:
    """The arrays of an interrupted extraction have their room: only the rest is asked for."""
    studio = new_studio()
    extraction, job, _ = studio.extractions.create(BODY)
    assert wait(studio, job)["state"] == "done"
    found = studio.extractions.get(extraction["id"])
    # As if it had been interrupted, on a disk that has since filled up.
    record = studio.catalog.extractions.update(found["id"], state="interrupted")
    studio.catalog.jobs.update(str(record.job_id), state="interrupted")
    studio.close()
    free = shutil.disk_usage(studio.settings.data_dir).free
    full = new_studio(disk_reserve_bytes=free - found["bytes"] // 3)
    _, job, started = full.extractions.create(BODY)
    assert started
    assert wait(full, job)["state"] == "done"


def test_a_row_whose_server_died_before_the_job(studio: Studio) -> None:
    """Rows without a job are taken up by the next request."""
    dataset, job = studio.datasets.create({"source": "sample"})
    wait(studio, job)
    studio.catalog.datasets.update(dataset["id"], state="pending", job_id=None)
    same, job = studio.datasets.create({"source": "sample"})
    assert same["id"] == dataset["id"]
    assert job is not None
    assert wait(studio, job)["state"] == "done"
    assert studio.datasets.get(dataset["id"])["state"] == "ready"
