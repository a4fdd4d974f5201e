from __future__ import annotations

import numpy as np
import pytest

from mistudio_ext.activations.verify import verify
from mistudio_ext.errors import NotFoundError

HOOK = "blocks.2.hook_resid_post"


def _bad(folder):
    return {check["file"]: check["reason"] for check in verify(folder) if not check["ok"]}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_good(make, dtype):
    writer = make(dtype=dtype).all()
    seen = []
    checks = verify(writer.folder, seen.append)
    assert [check["ok"] for check in checks] == [True] * 5
    assert all(check["reason"] is None for check in checks)
    assert sum(seen) == sum(p.stat().st_size for p in writer.folder.glob("*.npy"))


def test_one_flipped_bit(make):
    writer = make().all()
    path = writer.folder / f"{HOOK}.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    bad = _bad(writer.folder)
    assert list(bad) == [f"{HOOK}.npy"]
    assert "checksum" in bad[f"{HOOK}.npy"]


def test_missing_cut_off_and_wrong_shape(make):
    writer = make().all()
    (writer.folder / f"{HOOK}.npy").unlink()
    np.save(writer.folder / "rows.npy", np.arange(4))
    tokens = writer.folder / "tokens.npy"
    tokens.write_bytes(tokens.read_bytes()[:-1])
    bad = _bad(writer.folder)
    assert bad[f"{HOOK}.npy"] == "is missing"
    assert "shape [4] instead of [5]" in bad["rows.npy"]
    assert "cut off" in bad["tokens.npy"]


def test_longer_than_its_header_says(make):
    writer = make().all()
    with open(writer.folder / "rows.npy", "ab") as file:
        file.write(b"x")
    assert "bytes instead of" in _bad(writer.folder)["rows.npy"]


def test_index_that_does_not_fit(make):
    writer = make().all()
    writer.save(n_tokens=33)
    assert list(_bad(writer.folder)) == ["tokens.npy"]


def test_unfinished(make):
    writer = make()
    assert _bad(writer.folder) == {}
    writer.begin()
    writer.sample(0)
    assert _bad(writer.folder) == {}


def test_no_extraction(tmp_path):
    with pytest.raises(NotFoundError):
        verify(tmp_path)
