"""The notebook that the demo opens runs from top to bottom and finds what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import mistudio_ext.sample

NOTEBOOK = Path(mistudio_ext.sample.__file__).parent / "demo.ipynb"


def test_demo_notebook_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)


def test_demo_notebook_finds_speech_in_the_residual_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("max_samples=1000", "max_samples=150")
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()

    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    scores = [float(score) for score in re.findall(r"hook_resid_post +(0\.\d+) ", printed)]
    assert len(scores) == 6
    assert scores[-1] > 0.85
    assert scores[-1] > scores[0] + 0.05
