"""What all tests share: nothing of the user's own is read or written."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

# As in miStudio's workers: a thread that waits for others gives its processor away.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["pytest_jupyter.jupyter_server"]


#: What takes longest, and so begins first where files are shared out to processes.
LONG = ("ui", "hub", "docs", "cli", "services", "api")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for another order."""
    parser.addoption(
        "--shuffle",
        type=int,
        nargs="?",
        const=0,
        metavar="SEED",
        help="run the files, and the tests within each file, in a random order; "
        "the header names the seed, with which the same order comes again",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, before other processes are told of it."""
    if config.getoption("--shuffle") == 0:
        config.option.shuffle = random.SystemRandom().randrange(1, 1_000_000)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the seed."""
    seed = config.getoption("--shuffle")
    return f"random order: --shuffle={seed}" if seed else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long files: none of them is left for the end. Or shuffle everything."""
    here = Path(__file__).parent
    if seed := config.getoption("--shuffle"):
        items[:] = shuffled(items, random.Random(seed))
        return

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=turn)


def shuffled(items: list[pytest.Item], order: random.Random) -> list[pytest.Item]:
    """Return tests in a random order; those of a file stay together, for they share fixtures.

    A file that is marked as a ``story`` keeps its own order.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    for tests in files.values():
        if not any(test.get_closest_marker("story") for test in tests):
            order.shuffle(tests)
    groups = list(files.values())
    order.shuffle(groups)
    return [test for tests in groups for test in tests]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: those of gzip hold the time, and processes must agree."""
    return argname if isinstance(val, bytes) else None


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
