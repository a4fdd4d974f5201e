from __future__ import annotations

import os
import pickle
import time
import warnings

import numpy as np
import pytest
import torch

from mistudio_ext.activations.handle import Activations
from mistudio_ext.activations.manifest import write as write_manifest
from mistudio_ext.errors import ConflictError, InvalidInputError, MiStudioError, NotFoundError

HOOK = "blocks.2.hook_resid_post"


def test_finished_packed(make):
    writer = make().all()
    acts = Activations(writer.folder)
    assert (acts.state, acts.name, acts.id) == ("done", "run1", writer.folder.name)
    assert acts.ready == acts.total == 34
    assert acts.unit == "tokens"
    assert acts.hooks == (HOOK, "blocks.5.hook_resid_post")
    array = acts[HOOK]
    assert type(array) is np.memmap
    assert array.shape == (34, 8) == acts.shape(HOOK)
    assert array.dtype == np.float16
    assert not array.flags.writeable
    np.testing.assert_array_equal(array[33], writer.value(33))
    np.testing.assert_array_equal(acts.tokens, writer.tokens)
    np.testing.assert_array_equal(acts.offsets, writer.offsets)
    np.testing.assert_array_equal(acts.rows, writer.rows)
    assert acts.statistics[HOOK] == {"mean": 1.0}
    assert acts.nbytes == 2 * 34 * 8 * 2
    assert acts.manifest["state"] == "done"


def test_mapping(make):
    acts = Activations(make().all().folder)
    assert len(acts) == 2
    assert list(acts) == list(acts.hooks)
    assert HOOK in acts
    assert "nothing" not in acts
    assert set(dict(acts)) == set(acts.hooks)


def test_short_names(make):
    acts = Activations(make().all().folder)
    expected = acts["blocks.5.hook_resid_post"]
    for key in (("resid_post", 5), (5, "resid_post"), ("residual", 5), 5, -1, ("resid_post", -1)):
        np.testing.assert_array_equal(acts[key], expected)
    with pytest.raises(KeyError) as caught:
        acts["resid_post"]
    assert caught.value.code == "ambiguous_hook"
    for key in ("mlp_out", 3, -3, ("resid_post", 3), "blocks.2", (), ("a", "b")):
        with pytest.raises(KeyError) as caught:
            acts[key]
        assert isinstance(caught.value, NotFoundError)
        assert caught.value.code == "unknown_hook"
    with pytest.raises(KeyError, match=r"There is blocks\.2\.hook_resid_post, blocks\.5"):
        acts["mlp_out"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_padded(make, dtype):
    writer = make(layout="padded", dtype=dtype).all()
    acts = Activations(writer.folder)
    assert acts[HOOK].shape == (5, 16, 8)
    assert acts[HOOK].dtype.name == dtype
    assert acts.ready == acts.total == 34
    sample = acts.sample(3)
    assert sample[HOOK].shape == (9, 8)
    np.testing.assert_array_equal(sample[HOOK][0], writer.value(writer.offsets[3]))


@pytest.mark.parametrize("positions", ["last", "mean"])
def test_one_row_per_sample(make, positions):
    writer = make(positions=positions).all()
    acts = Activations(writer.folder)
    assert acts[HOOK].shape == (5, 8)
    assert acts.ready == acts.total == 5
    assert acts.unit == "samples"
    assert acts.sample(4)[HOOK].shape == (1, 8)
    np.testing.assert_array_equal(acts.sample(-1)[HOOK][0], writer.value(4))


def test_module_hooks_have_safe_file_names(make):
    writer = make(hooks=("module:model.norm",))
    writer.hooks = ("module_model.norm",)
    writer.all()
    assert Activations(writer.folder)["module:model.norm"].shape == (34, 8)


def test_rows_that_are_not_written_are_not_shown(make):
    writer = make()
    acts = Activations(writer.folder)
    assert (acts.ready, acts.total, acts.state) == (0, None, "queued")
    assert acts[HOOK].shape == (0, 0)
    with pytest.raises(ConflictError) as caught:
        _ = acts.tokens
    assert caught.value.code == "not_written"
    writer.begin()
    assert (acts.ready, acts.total, acts.state) == (0, 34, "running")
    assert acts[HOOK].shape == (0, 8)
    assert acts[HOOK].dtype == np.float16
    writer.sample(0)
    writer.sample(1)
    held = acts[HOOK]
    assert held.shape == (6, 8)
    assert acts.ready == 6
    assert acts.samples_ready == 2
    assert acts.sample(1).tokens.tolist() == [5]
    with pytest.raises(IndexError):
        acts.sample(2)
    with open(writer.folder / "journal.jsonl", "a") as journal:
        journal.write('{"samples": 5, "tokens": 34')
    assert acts[HOOK].shape == (6, 8)
    assert len(acts.tokens) == 34


def test_opened_while_another_process_writes(slow_writer, writing):
    folder, process = slow_writer(0.02)
    acts = Activations(folder)
    assert acts.ready == 0
    process.stdin.write("go\n")
    process.stdin.flush()
    seen = []
    while acts.state != "done":
        array = acts[HOOK]
        seen.append(len(array))
        # Each value of a written row is at least one; a row not yet written is zero.
        assert (np.asarray(array) > 0).all()
        time.sleep(0.01)
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert len(acts[HOOK]) == acts.total == 34 * 4
    assert process.wait(10) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_torch_is_zero_copy(make, dtype, layout):
    writer = make(dtype=dtype, layout=layout).all()
    acts = Activations(writer.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = acts.torch(HOOK)
    assert tensor.dtype == getattr(torch, dtype)
    assert tuple(tensor.shape) == acts[HOOK].shape
    np.testing.assert_array_equal(tensor.float().numpy(), np.asarray(acts[HOOK], dtype=np.float32))
    # Shared with the file: what is written there is seen here, and no write goes back.
    path = writer.folder / f"{HOOK}.npy"
    before = path.read_bytes()
    tensor.view(-1)[0] = 5
    assert path.read_bytes() == before


def test_torch_shares_the_pages_of_the_file(make):
    writer = make(dtype="float32").all()
    tensor = Activations(writer.folder).torch(HOOK)
    array = np.lib.format.open_memmap(writer.folder / f"{HOOK}.npy", "r+")
    array[3, 3] = 1234
    array.flush()
    assert tensor[3, 3] == 1234


def test_torch_of_nothing(make):
    writer = make()
    writer.begin()
    assert tuple(Activations(writer.folder).torch(HOOK).shape) == (0, 8)


def test_opens_in_constant_time_whatever_the_size(make, tmp_path):
    writer = make(d=1000)
    writer.all()
    rows = 25_000_000  # 50 GB in float16
    with open(writer.folder / f"{HOOK}.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f2", "fortran_order": False, "shape": (rows, 1000)}
        )
        file.truncate(file.tell() + rows * 2000)
    writer.save(n_tokens=rows, files={})
    start = time.perf_counter()
    acts = Activations(writer.folder)
    assert acts[HOOK].shape == (rows, 1000)
    assert acts.torch(HOOK).shape == (rows, 1000)
    repr(acts)
    acts._repr_html_()
    assert acts[HOOK][rows - 1].sum() == 0
    assert time.perf_counter() - start < 0.5
    assert (writer.folder / f"{HOOK}.npy").stat().st_blocks * 512 < 1 << 20


def test_missing_and_damaged(make, tmp_path):
    with pytest.raises(NotFoundError):
        Activations(tmp_path)
    writer = make().all()
    acts = Activations(writer.folder)
    path = writer.folder / f"{HOOK}.npy"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ConflictError, match="cut off"):
        acts[HOOK]
    path.write_text("no array")
    with pytest.raises(ConflictError, match="not a NumPy file"):
        acts[HOOK]
    path.unlink()
    with pytest.raises(ConflictError, match="missing"):
        acts[HOOK]


def test_failed_before_anything_was_written(make):
    writer = make()
    writer.save(state="failed", error={"code": "x", "message": "The disk is full.", "hint": None})
    with pytest.raises(ConflictError, match="The disk is full"):
        Activations(writer.folder)[HOOK]


def test_sample_and_locate(make):
    writer = make(lengths=(5, 0, 16, 9)).all()
    acts = Activations(writer.folder)
    tokens, text, row, found = acts.sample(2)
    assert tokens.tolist() == list(range(5, 21))
    assert (text, row) == (None, 4)
    assert found[HOOK].shape == (16, 8)
    np.testing.assert_array_equal(found[HOOK], acts[HOOK][5:21])
    assert acts.sample(2)["tokens"].tolist() == tokens.tolist()
    assert acts.sample(2).row == acts.sample(2)["row"] == acts.sample(-2).row
    assert acts.locate(0) == (0, 0, 0, None)
    assert acts.locate(5) == (2, 0, 4, None)
    assert acts.locate(-1) == (3, 8, 6, None)
    for index in (30, -31):
        with pytest.raises(IndexError):
            acts.locate(index)
    with pytest.raises(IndexError):
        acts.sample(4)
    assert list(acts.samples_of(4)) == [2]
    assert list(acts.samples_of(5)) == []


def test_refresh_and_new_manifest(make):
    writer = make()
    acts = Activations(writer.folder)
    writer.all()
    assert acts.state == "done"
    assert acts.refresh() is acts
    writer.save(name="renamed")
    assert acts.name == "renamed"


def test_travels_to_another_process(make):
    acts = Activations(make().all().folder, source=object())
    _ = acts[HOOK], acts.tokens
    found = pickle.loads(pickle.dumps(acts))
    np.testing.assert_array_equal(found[HOOK], acts[HOOK])


def test_a_view_is_kept_until_more_is_written(make):
    writer = make()
    writer.begin()
    writer.sample(0)
    acts = Activations(writer.folder)
    first = acts[HOOK]
    assert acts[HOOK] is first
    writer.sample(1)
    assert len(acts[HOOK]) == 6
    assert len(first) == 5


def test_cancel_needs_to_know_the_job(make):
    with pytest.raises(ConflictError):
        Activations(make().folder).cancel()


def test_shows_itself(make):
    writer = make(name="<b>run</b>", hooks=tuple(f"blocks.{i}.hook_mlp_out" for i in range(20)))
    acts = Activations(writer.folder)
    assert "queued" in repr(acts)
    writer.begin()
    writer.sample(0)
    html = acts._repr_html_()
    assert "<b>run" not in html
    assert "&lt;b&gt;run" in html
    assert "5 of 34 tokens" in html
    assert "<progress" in html
    assert "12 more hooks" in html
    bundle = acts._repr_mimebundle_()
    assert "34 × 8" in bundle["text/plain"]
    assert bundle["text/html"] == html
    writer.save(state="failed", error={"code": "x", "message": "No <room>.", "hint": "Make it."})
    assert "No &lt;room&gt;. Make it." in acts._repr_html_()
    said = [{"code": "non_finite", "message": f"h{i}: 3 values are inf or nan."} for i in range(6)]
    writer.save(state="done", warnings=said, error=None)
    for shown in (acts._repr_html_(), acts._repr_mimebundle_()["text/plain"]):
        assert "h2: 3 values are inf or nan." in shown
        assert "h3:" not in shown
        assert "3 more warnings" in shown
    for path in writer.folder.iterdir():
        path.unlink()
    assert "There is no extraction" in repr(acts)
    assert "There is no extraction" in acts._repr_html_()


def test_errors_are_of_the_one_tree(make):
    acts = Activations(make().all().folder)
    for call in (lambda: acts["x"], lambda: acts.sample(99), lambda: acts.batches(HOOK, 0)):
        with pytest.raises(MiStudioError) as caught:
            call()
        assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message
    with pytest.raises(InvalidInputError):
        acts.batches(HOOK, 0)


def test_manifest_without_optional_parts(tmp_path):
    write_manifest(tmp_path / "ext_1", {"state": "queued"})
    acts = Activations(tmp_path / "ext_1")
    assert acts.name == acts.id == "ext_1"
    assert acts.hooks == ()
    assert "ext_1" in repr(acts) + acts._repr_html_()
