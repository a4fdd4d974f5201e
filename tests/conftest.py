"""What all tests share: nothing of the user's own is read or written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As in miStudio's workers: a thread that waits for others gives its processor away.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["pytest_jupyter.jupyter_server"]


#: What takes longest, and so begins first where files are shared out to processes.
LONG = ("ui", "hub", "docs", "cli", "services", "api")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: none of them is left for the end."""
    here = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a data folder and a Hub cache of its own, and no way to the real Hub."""
    monkeypatch.setenv("MISTUDIO_DATA_DIR", str(tmp_path / "mistudio-data"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HUGGING_FACE_HUB_TOKEN", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
