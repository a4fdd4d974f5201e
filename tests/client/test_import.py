from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "datasets", "anywidget", "sqlalchemy", "tornado", "pandas")


def _fresh(code: str) -> dict:
    """Run code in a new interpreter; it sets `answer`."""
    program = (
        "import sys, time, json\nbefore = set(sys.modules)\nstart = time.perf_counter()\n"
        f"{code}\n"
        "spent = time.perf_counter() - start\n"
        "new = sorted({name.partition('.')[0] for name in set(sys.modules) - before})\n"
        "print(json.dumps({'spent': spent, 'new': new}))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_import_is_quick_and_imports_nothing_big():
    runs = [_fresh("import mistudio_ext as ms") for _ in range(3)]
    assert min(run["spent"] for run in runs) < 0.3
    foreign = set(runs[0]["new"]) - set(sys.stdlib_module_names) - {"mistudio_ext"}
    assert foreign <= {"numpy"}


@pytest.mark.parametrize(
    "code",
    [
        "import mistudio_ext as ms; ms.extract, ms.open, ms.list, ms.Activations, ms.errors",
        "import mistudio_ext.activations.manifest, mistudio_ext.activations.journal",
    ],
)
def test_no_part_of_reading_needs_more_than_numpy(code):
    found = _fresh(code)["new"]
    foreign = set(found) - set(sys.stdlib_module_names) - {"mistudio_ext"}
    assert foreign <= {"numpy"}
    if "manifest" in code:
        assert "numpy" not in found


def test_listing_and_opening_imports_no_torch(tmp_path):
    found = _fresh(
        "import mistudio_ext as ms\n"
        "assert ms.list() == []\n"
        "try: ms.open('x')\n"
        "except LookupError: pass"
    )["new"]
    assert not set(HEAVY) & set(found)


def test_widgets_import_no_torch():
    found = _fresh("import mistudio_ext as ms; ms.ExtractionPanel()")["new"]
    assert not {"torch", "transformers", "datasets", "sqlalchemy"} & set(found)


def test_public_names():
    import mistudio_ext as ms

    assert set(ms.__all__) <= set(dir(ms))
    for name in ms.__all__:
        assert getattr(ms, name) is not None
    assert ms.errors.MiStudioError
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ms.nothing


def test_jupyter_finds_both_halves():
    import mistudio_ext as ms

    (point,) = ms._jupyter_server_extension_points()
    assert point["module"] == "mistudio_ext.api.app"
    assert point["app"].__name__ == "MiStudioApp"
    assert ms._jupyter_labextension_paths() == [
        {"src": "labextension", "dest": "@mistudio/labextension"}
    ]
