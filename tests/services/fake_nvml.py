"""A stand-in for NVML, the only thing that is faked: cards, slices, and questions not answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """What the library raises."""


@dataclass
class Card:
    """A GPU or a slice; ``refuses`` names the questions that it does not answer."""

    uuid: str
    name: str = "Test GPU"
    total: int = 80 * 2**30
    used: int = 2**30
    busy: int = 25
    processes: list[tuple[int, int | None]] = field(default_factory=list)
    slices: list[Card] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)


class Nvml:
    """A module like ``pynvml`` over these cards."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *cards: Card, driver: bool = True) -> None:
        self.cards = list(cards)
        self.driver = driver
        self.lost = False
        self.inits = 0

    def nvmlInit(self) -> None:  # noqa: N802
        self.inits += 1
        if not self.driver:
            raise NVMLError

    def nvmlShutdown(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        if self.lost:
            raise NVMLError
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:  # noqa: N802
        return self._ask(self.cards[index], "handle", self.cards[index])

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:  # noqa: N802
        known = [part for card in self.cards for part in (card, *card.slices)]
        found = next((card for card in known if card.uuid == uuid), None)
        if found is None:
            raise NVMLError
        return found

    def nvmlDeviceGetTemperature(self, card: Card, _sensor: int) -> int:  # noqa: N802
        return self._ask(card, "temperature", 55)

    def nvmlDeviceGetPowerUsage(self, card: Card) -> int:  # noqa: N802
        return self._ask(card, "power", 120_500)

    def nvmlDeviceGetEnforcedPowerLimit(self, card: Card) -> int:  # noqa: N802
        return self._ask(card, "power", 400_000)

    def nvmlDeviceGetName(self, card: Card) -> bytes:  # noqa: N802
        return self._ask(card, "name", card.name.encode())

    def nvmlDeviceGetUUID(self, card: Card) -> str:  # noqa: N802
        return self._ask(card, "uuid", card.uuid)

    def nvmlDeviceGetMigMode(self, card: Card) -> tuple[int, int]:  # noqa: N802
        return self._ask(card, "mig", (int(bool(card.slices)),) * 2)

    def nvmlDeviceGetMaxMigDeviceCount(self, card: Card) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: Card, number: int) -> Card:  # noqa: N802
        if number >= len(card.slices):
            raise NVMLError
        return card.slices[number]

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> Any:  # noqa: N802
        free = card.total - card.used
        return self._ask(
            card, "memory", SimpleNamespace(total=card.total, used=card.used, free=free)
        )

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> Any:  # noqa: N802
        return self._ask(card, "utilization", SimpleNamespace(gpu=card.busy))

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[Any]:  # noqa: N802
        found = [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in card.processes]
        return self._ask(card, "processes", found)

    @staticmethod
    def _ask(card: Card, question: str, answer: Any) -> Any:
        if question in card.refuses:
            raise NVMLError
        return answer
