"""The example notebooks run from top to bottom and find what they say."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.packaging.conftest import ROOT

EXAMPLES = ROOT / "docs/examples"


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a notebook in a kernel of its own and return all that it printed."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(folder)}}).execute()
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


def test_a_probe_reads_the_kind_of_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accuracy that the model's card states: poor from the embedding, then nearly perfect."""
    printed = run("probe.ipynb", tmp_path, monkeypatch)
    accuracies = [float(a) for a in re.findall(r"hook_resid_p\w+ +(\d\.\d+) ", printed)]
    kind, sentiment = accuracies[:7], accuracies[7:]
    assert len(sentiment) == 7
    assert kind[0] < 0.75
    assert min(kind[2:]) > 0.96
    assert max(sentiment[3:]) > sentiment[0] + 0.1


def test_a_sparse_autoencoder_explains_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = run("sparse-autoencoder.ipynb", tmp_path, monkeypatch)
    explained = re.search(r"explained by 16 of 1024 features per token: (\d+\.\d)%", printed)
    assert explained is not None
    assert float(explained.group(1)) > 75
    spoken = re.search(r"fires at (\d+)% of the spoken tokens, (\d+)% of the others", printed)
    assert spoken is not None
    assert int(spoken.group(1)) > 3 * int(spoken.group(2))


def test_fewer_bits_cost_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run("quantisation.ipynb", tmp_path, monkeypatch)
    rows = re.findall(r"(?m)^(q\d) +(0\..*)$", printed)[:3]
    after_last = {name: float(row.split()[-1]) for name, row in rows}
    assert 0 < after_last["q8"] < 0.03 < after_last["q4"] < 0.15 < after_last["q2"] < 1
