"""What remains of handles and panels in a notebook that is exported to a page."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter

import mistudio_ext as ms
from mistudio_ext.activations import manifest


@pytest.fixture
def folder(tmp_path):
    """Return an extraction folder with one small array."""
    path = tmp_path / "activations" / "ext_00000000aa"
    path.mkdir(parents=True)
    hook = "blocks.2.hook_resid_post"
    arrays = {
        f"{hook}.npy": np.zeros((7, 4), np.float16),
        "tokens.npy": np.arange(7, dtype=np.uint16),
        "offsets.npy": np.array([0, 3, 7]),
        "rows.npy": np.array([0, 1]),
    }
    files = {}
    for name, array in arrays.items():
        np.save(path / name, array)
        files[name] = {"shape": list(array.shape), "dtype": array.dtype.name}
    files[f"{hook}.npy"]["hook"] = hook
    facts = {
        "state": "done",
        "id": path.name,
        "name": "run1",
        "spec": {"model": "tiny", "dataset": "stories", "hooks": [hook], "dtype": "float16"},
        "n_samples": 2,
        "n_tokens": 7,
        "files": files,
    }
    manifest.write(path, facts)
    return path


def exported(data: dict[str, object]) -> str:
    """Return the page of a notebook with one output."""
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    cell = nbformat.v4.new_code_cell("acts", outputs=[output], execution_count=1)
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    return str(page)


def test_a_handle_is_a_card(folder):
    page = exported(ms.open(folder)._repr_mimebundle_())
    assert "blocks.2.hook_resid_post" in page
    assert "7 × 4" in page


def test_a_panel_is_the_card_of_its_extraction(folder):
    data, _ = ms.ActivationPanel(folder)._repr_mimebundle_()
    page = exported(data)
    assert "7 × 4" in page


def test_a_panel_shows_its_sample_in_colour(folder):
    hook = "blocks.2.hook_resid_post"
    array = np.lib.format.open_memmap(folder / f"{hook}.npy", mode="r+")
    array[3:, 1] = [9, 4, -4, np.inf]
    array.flush()
    chosen = {"hook": hook, "dimension": 1, "sample": 1}
    data, _ = ms.ActivationPanel(folder, selection=chosen)._repr_mimebundle_()
    page = exported(data)
    assert "Sample 1 by dimension 1 of blocks.2.hook_resid_post" in page
    # On the scale of all tokens but the first; there is no tokenizer, so ids are shown.
    for strength, token in ((45, 3), (45, 4), (45, 5)):
        assert re.search(rf"{strength}%, transparent\)[^>]*>\[{token}\]", page)
    below, infinite = re.findall(r'<span style="([^"]*)"', page)[-2:]
    assert "border-bottom" in below
    assert "outline" in infinite


@pytest.mark.parametrize(
    "chosen", [{"hook": "no"}, {"dimension": 4}, {"sample": 2}, {"sample": -1}]
)
def test_a_choice_that_does_not_exist_is_left_out(folder, chosen):
    data, _ = ms.ActivationPanel(folder, selection=chosen)._repr_mimebundle_()
    assert "7 × 4" in data["text/html"]
    assert "Sample" not in data["text/html"]


def test_a_panel_without_an_extraction_says_what_it_is():
    data, _ = ms.ExtractionPanel(model="sample-model")._repr_mimebundle_()
    page = exported(data)
    assert "miStudio extraction" in page
    assert "sample-model" in page
