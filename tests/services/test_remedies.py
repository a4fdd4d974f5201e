"""A failed job says what would mend it, and a retry takes that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.catalog import JobRecord, new_id
from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.services import remedies
from mistudio_ext.studio import Studio
from tests.services.conftest import wait

Json = dict[str, Any]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file with one row that has a value too many."""
    file = tmp_path / "rows.csv"
    rows = [f"the text of row {n},{n}" for n in range(20)]
    file.write_text("\n".join(["text,n", *rows[:10], "too,many,values", *rows[10:]]) + "\n")
    return file


def failed(studio: Studio, job: Json | None) -> Json:
    """Return the error of a job that must fail."""
    ended = wait(studio, job)
    assert ended["state"] == "failed"
    error: Json = ended["error"]
    return error


@pytest.mark.parametrize(("choice", "rows"), [("skip", 20), ("keep", 21)])
def test_broken_rows(studio: Studio, broken: Path, choice: str, rows: int) -> None:
    """They are skipped or kept by the retry that the error offers, and the request is that one."""
    dataset, job = studio.datasets.create({"source": "path", "path": str(broken)})
    error = failed(studio, job)
    offered = {r["change"]["options"]["bad_rows"]: r for r in error["remedies"]}
    assert set(offered) == {"skip", "keep"}
    assert studio.datasets.get(dataset["id"])["error"]["remedies"] == error["remedies"]
    assert job is not None
    again = studio.jobs.retry(job["id"], change=offered[choice]["change"])
    assert wait(studio, studio.jobs.view(again))["state"] == "done"
    assert studio.datasets.get(dataset["id"])["n_rows"] == rows
    # It is now what this request asks for, and no longer what the first one asked for.
    body = {"source": "path", "path": str(broken), "options": {"bad_rows": choice}}
    assert studio.datasets.create(body) == (studio.datasets.get(dataset["id"]), None)
    other, job = studio.datasets.create({"source": "path", "path": str(broken)})
    assert other["id"] != dataset["id"]
    failed(studio, job)
    with pytest.raises(ConflictError, match="is that of"):
        studio.jobs.retry(str(job and job["id"]), change=offered[choice]["change"])


def test_a_column_for_the_text(studio: Studio, tmp_path: Path) -> None:
    """The columns that there are are offered; what is no field, or no value, is refused."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"title": "a", "body": "b c d e f g"}) + "\n")
    body = {"source": "path", "path": str(file), "text_column": "txt"}
    dataset, job = studio.datasets.create(body)
    error = failed(studio, job)
    changes = [r["change"] for r in error["remedies"]]
    assert changes == [{"text_column": "title"}, {"text_column": "body"}]
    assert job is not None
    for change in ({"colour": "red"}, {"options": {"bad_rows": "eat"}}, {"max_rows": 0}):
        with pytest.raises(InvalidInputError):
            studio.jobs.retry(job["id"], change=change)
    assert studio.jobs.get(job["id"]).state == "failed"
    again = studio.jobs.retry(job["id"], change={"text_column": "body"})
    assert wait(studio, studio.jobs.view(again))["state"] == "done"
    assert studio.datasets.get(dataset["id"])["text_column"] == "body"


def test_what_is_offered_for_which_error() -> None:
    """A token, room on the disk in bytes, and nothing where nothing would help."""
    assert remedies.common({"code": "gated"})[0]["ask"] == "token"
    (room,) = remedies.common({"code": "no_space", "needed_bytes": 5_000_000, "free_bytes": 10})
    assert "5.0 MB" in room["label"]
    assert room["change"] == {}
    assert remedies.common({"code": "internal_error"}) == []
    formats = [r["change"]["format"] for r in remedies.smaller_formats("fp32")]
    assert formats == ["bf16", "q8"]
    assert remedies.smaller_formats("q2") == []


def test_memory_that_ran_out(studio: Studio) -> None:
    """An extraction is offered smaller batches, a model a smaller format; identities are right."""
    body = {"model": "sample-model", "dataset": "sample-stories", "layers": "0", "max_samples": 4}
    extraction, job, _ = studio.extractions.create(body)
    assert job is not None
    assert wait(studio, job)["state"] == "done"
    kinds = studio.jobs.kinds
    error = {"code": "out_of_memory", "message": "Memory ran out."}
    (fewer,) = kinds["extract"].remedies(studio.jobs.get(job["id"]), error)
    studio.catalog.jobs.update(job["id"], state="failed")
    studio.catalog.extractions.update(extraction["id"], state="failed")
    again = studio.jobs.retry(job["id"], change=fewer["change"])
    assert wait(studio, studio.jobs.view(again))["state"] == "done"
    found = studio.extractions.get(extraction["id"])
    assert found["spec"]["batch_tokens"] == fewer["change"]["batch_tokens"]
    assert studio.extractions.create(body)[0]["id"] == extraction["id"]
    studio.catalog.jobs.update(job["id"], state="failed")
    with pytest.raises(InvalidInputError):
        studio.jobs.retry(job["id"], change={"dtype": "float32"})

    record = studio.models.record("sample-model")
    of_model = studio.jobs.get(str(record.job_id))
    offered = kinds["model.import"].remedies(of_model, error)
    assert [r["change"] for r in offered] == [{"format": "bf16"}, {"format": "q8"}]
    studio.catalog.jobs.update(of_model.id, state="failed")
    studio.catalog.models.update(record.id, state="failed")
    again = studio.jobs.retry(of_model.id, change={"format": "bf16"})
    assert wait(studio, studio.jobs.view(again))["state"] == "done"
    same, nothing = studio.models.create({"source": "sample", "format": "bf16"})
    assert (same["id"], same["format"], nothing) == (record.id, "bf16", None)


def test_a_kind_that_is_tried_again_as_it_is(studio: Studio) -> None:
    """A change that nobody would read is refused."""
    job = JobRecord(
        id=new_id("job"),
        kind="index",
        state="failed",
        target_type="dataset",
        target_id="ds_1",
        target_name="one",
    )
    studio.catalog.jobs.add(job)
    with pytest.raises(InvalidInputError, match="as it is"):
        studio.jobs.retry(job.id, change={"text_column": "body"})
