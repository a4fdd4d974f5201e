"""Uploads over HTTP: pieces, offsets, limits, restarts, and what becomes of the file."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import InvalidInputError, MiStudioError, NoSpaceError, NotFoundError
from mistudio_ext.services import uploads
from mistudio_ext.services.upload_pieces import safe_name
from mistudio_ext.studio import Studio
from tests.api.conftest import API, Api, Fetch
from tests.services.conftest import new_studio

__all__ = ["new_studio"]

Json = dict[str, Any]
ROWS = "".join(json.dumps({"text": f"story {i} is long enough"}) + "\n" for i in range(500))
CONTENT = ROWS.encode()


async def put(
    fetch: Fetch, uid: str, data: bytes, start: int, total: int, expect: int = 200, **headers: str
) -> Json:
    """Send a piece."""
    sent = {"Content-Range": f"bytes {start}-{start + len(data) - 1}/{total}", **headers}
    answer = await fetch(
        *API.split("/"),
        "uploads",
        uid,
        method="PUT",
        body=data,
        headers=sent,
        raise_error=False,
    )
    assert answer.code == expect, answer.body
    return json.loads(answer.body)  # type: ignore[no-any-return]


async def test_pieces_then_import(api: Api, jp_fetch: Fetch, tmp_path: Path) -> None:
    """A file in two pieces becomes a dataset, and the uploaded file is gone."""
    body = {"name": "../../my stories.jsonl", "size": len(CONTENT)}
    upload = await api("POST", "uploads", body, expect=201)
    uid = upload["id"]
    assert (upload["name"], upload["offset"], upload["state"]) == (
        "my stories.jsonl",
        0,
        "receiving",
    )
    half = await put(jp_fetch, uid, CONTENT[:10_000], 0, len(CONTENT))
    assert (half["offset"], half["state"]) == (10_000, "receiving")
    refused = await api("POST", "datasets", {"source": "upload", "upload": uid}, expect=409)
    assert (refused["code"], refused["field"]) == ("upload_incomplete", "upload")
    again = await put(jp_fetch, uid, CONTENT[:10_000], 0, len(CONTENT), expect=409)
    assert (again["code"], again["offset"]) == ("wrong_offset", 10_000)
    whole = await put(jp_fetch, uid, CONTENT[10_000:], 10_000, len(CONTENT))
    assert whole["state"] == "complete"
    assert whole["detection"]["text_column"] == "text"
    folder = tmp_path / "mistudio-data" / "uploads" / uid
    assert (folder / "my stories.jsonl").read_bytes() == CONTENT
    started = await api("POST", "datasets", {"source": "upload", "upload": uid}, expect=202)
    await api.job(started["job"])
    dataset = await api("GET", f"datasets/{started['dataset']['id']}")
    assert (dataset["name"], dataset["n_rows"]) == ("my stories", 500)
    assert (dataset["source"], dataset["source_path"]) == ("upload", None)
    assert not folder.exists()
    assert (await api("GET", f"uploads/{uid}", expect=404))["code"] == "no_such_upload"


async def test_more_than_one_write(api: Api, jp_fetch: Fetch, tmp_path: Path) -> None:
    """A piece that is larger than what is gathered arrives as it was sent."""
    data = os.urandom(3 * (1 << 20) + 17)
    upload = await api("POST", "uploads", {"name": "a.txt", "size": len(data)}, expect=201)
    done = await put(jp_fetch, upload["id"], data, 0, len(data))
    assert done["state"] == "complete"
    path = tmp_path / "mistudio-data" / "uploads" / upload["id"] / "a.txt"
    assert path.read_bytes() == data


async def test_what_the_file_is(api: Api, jp_fetch: Fetch) -> None:
    """A compressed file is detected; a broken one says so, and can be deleted."""
    data = gzip.compress(b"id\ttext\n1\ta b c\n2\td e f\n")
    upload = await api("POST", "uploads", {"name": "a.tsv.gz", "size": len(data)}, expect=201)
    found = (await put(jp_fetch, upload["id"], data, 0, len(data)))["detection"]
    assert (found["format"], found["compression"], found["text_column"]) == ("csv", "gz", "text")
    corrected = {"upload": upload["id"], "options": {"delimiter": ",", "header": False}}
    found = await api("POST", "datasets/detect", corrected)
    assert [column["name"] for column in found["columns"]] == ["column_0"]
    corrected["options"] = {"encoding": "klingon"}
    refused = await api("POST", "datasets/detect", corrected, expect=400)
    assert (refused["code"], refused["field"]) == ("bad_option", "encoding")
    corrected["options"] = {"header": "no"}
    refused = await api("POST", "datasets/detect", corrected, expect=400)
    assert (refused["code"], refused["field"]) == ("bad_option", "header")
    refused = await api("POST", "datasets/detect", {"upload": "up_none"}, expect=404)
    assert refused["code"] == "no_such_upload"
    refused = await api("POST", "datasets/detect", {**corrected, "options": 3}, expect=400)
    assert (refused["code"], refused["field"]) == ("bad_option", "options")
    upload = await api("POST", "uploads", {"name": "b.parquet", "size": 4}, expect=201)
    broken = await put(jp_fetch, upload["id"], b"abcd", 0, 4)
    assert broken["detection"] is None
    assert broken["problem"]["code"] == "broken_file"
    gone = await api("DELETE", f"uploads/{upload['id']}")
    assert gone == {"deleted": [upload["id"]], "freed_bytes": 4}


@pytest.mark.parametrize("given", ["bytes 0-3/5", "bytes 0-9/4", "bytes 3-1/4", "0-3/4", "", None])
async def test_bad_ranges(api: Api, jp_fetch: Fetch, given: str | None) -> None:
    """A piece that is no part of the file is refused and nothing is kept."""
    upload = await api("POST", "uploads", {"name": "a.txt", "size": 4}, expect=201)
    answer = await jp_fetch(
        *API.split("/"),
        "uploads",
        upload["id"],
        method="PUT",
        body=b"abcd",
        headers={} if given is None else {"Content-Range": given},
        raise_error=False,
    )
    assert answer.code == 400
    assert json.loads(answer.body)["code"] == "bad_range"
    assert (await api("GET", f"uploads/{upload['id']}"))["offset"] == 0


async def test_unknown(api: Api, jp_fetch: Fetch) -> None:
    """An id that is none names itself, whatever the verb."""
    for verb in ("GET", "DELETE"):
        assert (await api(verb, "uploads/up_nothing", expect=404))["code"] == "no_such_upload"
    answer = await put(jp_fetch, "up_0123456789", b"abc", 0, 3, expect=404)
    assert answer["code"] == "no_such_upload"
    body = {"source": "upload", "upload": "../../etc"}
    assert (await api("POST", "datasets", body, expect=404))["code"] == "no_such_upload"


async def test_nothing_is_taken_from_strangers(
    api: Api, http_server_client: Any, jp_base_url: str
) -> None:
    """Without authentication no byte reaches the disk."""
    upload = await api("POST", "uploads", {"name": "a.txt", "size": 4}, expect=201)
    answer = await http_server_client.fetch(
        f"{jp_base_url}{API}/uploads/{upload['id']}",
        method="PUT",
        body=b"abcd",
        headers={"Content-Range": "bytes 0-3/4"},
        raise_error=False,
    )
    assert answer.code == 403
    assert (await api("GET", f"uploads/{upload['id']}"))["offset"] == 0


async def test_a_broken_connection_keeps_what_came(
    api: Api, jp_fetch: Fetch, jp_http_port: int, jp_base_url: str, jp_auth_header: Json
) -> None:
    """What arrived before the connection broke is there, and the upload goes on behind it."""
    size = 3_000_000
    data = os.urandom(size)
    upload = await api("POST", "uploads", {"name": "a.txt", "size": size}, expect=201)
    _, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    writer.write(
        f"PUT {jp_base_url}{API}/uploads/{upload['id']} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {jp_auth_header['Authorization']}\r\nContent-Length: {size}\r\n"
        f"Content-Range: bytes 0-{size - 1}/{size}\r\n\r\n".encode()
    )
    writer.write(data[:2_000_000])
    await writer.drain()
    while (await api("GET", f"uploads/{upload['id']}"))["offset"] == 0:
        await asyncio.sleep(0.02)
    busy = await put(jp_fetch, upload["id"], data, 0, size, expect=409)
    assert busy["code"] == "upload_busy"
    writer.close()
    for _ in range(100):
        offset = (await api("GET", f"uploads/{upload['id']}"))["offset"]
        if offset == 2_000_000:
            break
        await asyncio.sleep(0.05)
    assert offset == 2_000_000
    done = await put(jp_fetch, upload["id"], data[offset:], offset, size)
    assert done["state"] == "complete"


def test_limits(new_studio: Callable[..., Studio]) -> None:
    """Too large, no room, no size, no format: each its own error, with the numbers."""
    studio = new_studio(max_upload_bytes=5_000_000)
    for body, code, status in (
        ({"name": "a.txt", "size": 6_000_000}, "too_large", 413),
        ({"name": "a.txt", "size": 0}, "bad_number", 400),
        ({"name": "a.txt", "size": True}, "bad_number", 400),
        ({"name": "a.exe", "size": 5}, "unknown_format", 400),
        ({"name": None, "size": 5}, "bad_name", 400),
        ({"name": "a.txt", "size": 5, "path": "/etc"}, "unknown_field", 400),
    ):
        with pytest.raises(MiStudioError) as caught:
            studio.uploads.create(body)
        assert (caught.value.code, caught.value.status) == (code, status)
    with pytest.raises(MiStudioError, match=r"6\.0 MB.*5\.0 MB"):
        studio.uploads.create({"name": "a.txt", "size": 6_000_000})
    studio.close()
    full = new_studio(disk_reserve_bytes=1 << 60)
    with pytest.raises(NoSpaceError) as no_space:
        full.uploads.create({"name": "a.txt", "size": 5_000_000})
    assert "5.0 MB" in no_space.value.message


def test_after_a_restart(
    new_studio: Callable[..., Studio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server goes on where this one was; what is a week old is removed."""
    first = new_studio()
    uid = first.uploads.create({"name": "a.txt", "size": 6})["id"]
    piece, _ = first.uploads.begin(uid, "bytes 0-2/6", None)
    piece.write(b"abc")
    first.uploads.end(uid, piece)
    first.close()
    second = new_studio()
    assert second.uploads.get(uid)["offset"] == 3
    second.close()
    old = time.time() - uploads.STALE_S - 60
    folder = tmp_path / "data" / "uploads" / uid
    for path in (*folder.iterdir(), folder):
        os.utime(path, (old, old))
    with pytest.raises(NotFoundError):
        new_studio().uploads.get(uid)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.csv", "a.csv"),
        ("C:\\data\\b.JSONL", "b.jsonl"),
        ("../../etc/x.txt.gz", "x.txt.gz"),
        ("a\0b\n.arrow", "a_b_.arrow"),
        ("ü" * 300 + ".parquet.zst", "ü" * 75 + ".parquet.zst"),
    ],
)
def test_names(given: str, kept: str) -> None:
    """A name is never a path, and keeps what tells the format."""
    assert safe_name(given) == kept


@pytest.mark.parametrize("name", ["a", "a.bz2", "a.csv.xz", "..", "", "a.tar.gz", "upload.json/"])
def test_names_that_are_none(name: str) -> None:
    """What cannot be read is refused before it is sent."""
    with pytest.raises(InvalidInputError):
        safe_name(name)
