"""What the engine's tests share: quiet libraries, few threads, a stand-in for a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from mistudio_ext.engine import gpu


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


class LateStream:
    """Does what it is asked for when its event is waited for, as late as a GPU could be."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def run(self, work: Callable[[], None]) -> Any:
        return LateEvent(work)


class LateEvent:
    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work

    def synchronize(self) -> None:
        if self._work is not None:
            self._work()
        self._work = None


@pytest.fixture
def late_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU is taken for a GPU."""
    monkeypatch.setattr(gpu, "is_gpu", lambda _: True)
    monkeypatch.setattr(gpu, "pinned", lambda shape, dtype: torch.empty(shape, dtype=dtype))
    monkeypatch.setattr(gpu, "to_device", lambda array, _: torch.from_numpy(array))
    monkeypatch.setattr(gpu, "room", lambda *_: 1 << 30)
    monkeypatch.setattr(gpu, "SideStream", LateStream)
