"""A loopback Hugging Face Hub for tests; see ``hubsim.py`` for what it serves and how it fails.

``from tests.hubsim import hub`` in a ``conftest.py`` gives the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubsim.hubsim import HubSim
from tests.hubsim.repositories import fill

__all__ = ["HubSim", "hub", "hub_root"]


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the repositories that :func:`tests.hubsim.repositories.fill` makes."""
    root = tmp_path_factory.mktemp("hub")
    fill(root)
    return root


@pytest.fixture
def hub(hub_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSim]:
    """Run a Hub whose faults and requests are this test's own, with an empty cache.

    Code in this process reaches it by ``endpoint=hub.url``, child processes
    that inherit ``os.environ`` by themselves.
    """
    from huggingface_hub import close_session, constants

    with HubSim(hub_root) as running:
        home = tmp_path / "hf-home"
        for name, value in running.env(hf_home=home).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        yield running
        close_session()
