from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from mistudio_ext.activations import journal, manifest
from mistudio_ext.errors import ConflictError, NotFoundError


def test_manifest_round_trip(tmp_path):
    manifest.write(tmp_path / "x", {"state": "queued", "path": Path("/a"), "n": np.int64(3)})
    found = manifest.update(tmp_path / "x", state="done")
    assert found["schema_version"] == 1
    assert (found["state"], found["path"], found["n"]) == ("done", "/a", 3)
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["manifest.json"]


def test_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path):
    manifest.write(tmp_path, {"state": "queued"})
    with pytest.raises(TypeError):
        manifest.write(tmp_path, {"state": object()})
    assert manifest.read(tmp_path)["state"] == "queued"
    # Beside it lies the room that is kept for its end, until it has ended.
    assert {p.name for p in tmp_path.iterdir()} == {"manifest.json", ".manifest.json.spare"}
    manifest.write(tmp_path, {"state": "done"})
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_manifest_is_never_seen_half_written(tmp_path):
    manifest.write(tmp_path, {"n": 0, "filler": ""})
    stop = threading.Event()

    def rewrite():
        n = 0
        while not stop.is_set():
            n += 1
            manifest.write(tmp_path, {"n": n, "filler": "x" * (n % 7) * 5000})

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        for _ in range(300):
            found = manifest.read(tmp_path)
            assert len(found["filler"]) == found["n"] % 7 * 5000
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        (None, NotFoundError, "no_manifest"),
        ("{", ConflictError, "bad_manifest"),
        ("[]", ConflictError, "bad_manifest"),
        ('{"schema_version": 99}', ConflictError, "newer_manifest"),
    ],
)
def test_manifest_errors(tmp_path, text, kind, code):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(kind) as caught:
        manifest.read(tmp_path)
    assert caught.value.code == code


def _line(samples, **more):
    return json.dumps({"samples": samples, "tokens": samples * 10, **more}) + "\n"


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("", None),
        ('{"samples": 1, "tok', None),
        (_line(1) + _line(2), 2),
        (_line(1) + _line(2)[:-1], 1),  # complete JSON, but the line feed is missing: torn
        (_line(1) + '{"samples": 2, "to', 1),
        (_line(1) + "\x00" * 100, 1),
        (_line(1) + "\x00" * 100 + "\n", 1),
        ("".join(_line(n) for n in range(20_000)), 19_999),
        (_line(7, files="f" * 300_000) + '{"torn', 7),
    ],
)
def test_journal_last(tmp_path, text, samples):
    (tmp_path / "journal.jsonl").write_text(text)
    expected = None if samples is None else {"samples": samples, "tokens": samples * 10}
    assert journal.last(tmp_path) == expected


def test_journal_missing(tmp_path):
    assert journal.last(tmp_path) is None
