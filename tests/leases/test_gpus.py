"""Which GPUs there are to lease, and their free memory; only the driver is stood in for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from mistudio_ext.leases import Device, find_devices
from mistudio_ext.leases.memory import Memory, memory_of
from tests.services.fake_nvml import Card, Nvml


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Nvml]:
    """Put a machine with these cards in the place of NVML."""

    def install(*cards: Card, **more: Any) -> Nvml:
        fake = Nvml(*cards, **more)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


def gpus(*declared: str) -> list[str]:
    """Return the ids of the GPUs that are found."""
    return [device.id for device in find_devices(declared, {}) if device.kind == "gpu"]


def test_cards_and_slices(nvml: Callable[..., Nvml]) -> None:
    """Each GPU by its UUID; one that is cut into slices as those, with their own memory."""
    nvml(
        Card("GPU-1", total=80, used=30),
        Card("GPU-2", slices=[Card("MIG-a", total=10, used=4), Card("MIG-b")]),
    )
    assert gpus() == ["GPU-1", "MIG-a", "MIG-b"]
    assert gpus("MIG-b", "slot") == ["MIG-b"]
    assert memory_of(Device("GPU-1", "gpu", 0)) == Memory(80, 50)
    assert memory_of(Device("MIG-a", "gpu", 1)) == Memory(10, 6)
    # As a scheduler may name one.
    assert memory_of(Device("0", "gpu", 0)) == Memory(80, 50)


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ("handle", ["GPU-2"]),
        ("uuid", ["GPU-2"]),
        ("mig", ["GPU-1", "GPU-2"]),
        ("memory", ["GPU-1", "GPU-2"]),
    ],
)
def test_one_that_answers_partly(nvml: Callable[..., Nvml], refused: str, left: list[str]) -> None:
    """Containers and MIG refuse some questions: the others are found, memory is not asked for."""
    nvml(Card("GPU-1", refuses={refused}), Card("GPU-2", total=80, used=30))
    assert gpus() == left
    if refused == "memory":
        assert memory_of(Device("GPU-1", "gpu", 0)) is None
    assert memory_of(Device("GPU-2", "gpu", 1)) == Memory(80, 50)


def test_none_at_all(nvml: Callable[..., Nvml]) -> None:
    """No driver, or one that was just reloaded, leaves the CPU; it is found again."""
    nvml(driver=False)
    assert gpus() == []
    assert memory_of(Device("GPU-1", "gpu", 0)) is None
    fake = nvml(Card("GPU-1", total=80, used=30))
    assert gpus() == ["GPU-1"]
    fake.lost = True
    assert gpus() == []
    fake.lost = False
    assert gpus() == ["GPU-1"]
    assert fake.inits == 2


def test_the_library_stays_open(nvml: Callable[..., Nvml]) -> None:
    """It is opened once, however often memory is asked for."""
    fake = nvml(Card("GPU-1", total=80, used=30))
    for _ in range(5):
        assert memory_of(Device("GPU-1", "gpu", 0)) == Memory(80, 50)
    assert fake.inits == 1
