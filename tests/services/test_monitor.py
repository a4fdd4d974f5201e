"""The monitor over a real studio; only the GPU is stood in for."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mistudio_ext.jobs.bus import Message
from mistudio_ext.services import gpus, machine
from mistudio_ext.studio import Studio
from tests.services.fake_nvml import Card, Nvml

Json = dict[str, Any]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Nvml]:
    """Put a machine with these cards in the place of NVML."""

    def install(*cards: Card, container: bool = False, **more: Any) -> Nvml:
        fake = Nvml(*cards, **more)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        monkeypatch.setattr(gpus, "_NVML", gpus.Nvml())
        monkeypatch.setattr(machine, "pids_are_the_hosts", lambda: not container)
        return fake

    return install


def test_a_card_that_answers_everything(nvml: Callable[..., Nvml]) -> None:
    """Memory, load, heat, power and processes."""
    nvml(Card("GPU-1", processes=[(os.getpid(), 5 * 2**20)]))
    gpu = machine.devices({os.getpid(): {"id": "job_1", "name": "run1"}})[1]
    assert (gpu["id"], gpu["uuid"], gpu["name"]) == ("cuda:0", "GPU-1", "Test GPU")
    assert (gpu["memory_used"], gpu["memory_total"]) == (2**30, 80 * 2**30)
    assert (gpu["utilization"], gpu["temperature"], gpu["power_w"]) == (0.25, 55, 120.5)
    assert gpu["processes"][0]["memory"] == 5 * 2**20
    assert gpu["processes"][0]["job"] == {"id": "job_1", "name": "run1"}
    assert gpu["holder"] == "run1"


@pytest.mark.parametrize("refuses", ["temperature", "power", "utilization", "memory", "processes"])
def test_a_question_that_is_not_answered_costs_only_its_answer(
    nvml: Callable[..., Nvml], refuses: str
) -> None:
    """Containers and consumer cards answer partly."""
    nvml(Card("GPU-1", refuses={refuses, "mig"}), Card("GPU-2"))
    first, second = machine.devices()[1:]
    assert first["uuid"] == "GPU-1"
    unknown = {
        "temperature": first["temperature"],
        "power": first["power_w"],
        "utilization": first["utilization"],
        "memory": first["memory_used"],
        "processes": first["processes"] or None,
    }
    assert unknown.pop(refuses) is None
    unknown.pop("processes", None)
    assert all(value is not None for value in unknown.values())
    assert second["memory_used"] == 2**30


def test_a_lost_card_does_not_hide_the_others(nvml: Callable[..., Nvml]) -> None:
    """A GPU that fell off the bus is left out."""
    nvml(Card("GPU-1", refuses={"handle"}), Card("GPU-2"))
    assert [d["uuid"] for d in machine.devices()] == ["cpu", "GPU-2"]


def test_slices(nvml: Callable[..., Nvml]) -> None:
    """With MIG the slices are the devices; heat and power are the card's."""
    part = {"utilization", "temperature", "power"}
    slices = [
        Card("MIG-a", "Test GPU MIG 1g", total=10, used=4, refuses=part),
        Card("MIG-b", refuses=part),
    ]
    nvml(Card("GPU-1", slices=slices))
    found = machine.devices()[1:]
    assert [(d["id"], d["uuid"], d["parent"]) for d in found] == [
        ("cuda:0:0", "MIG-a", "GPU-1"),
        ("cuda:0:1", "MIG-b", "GPU-1"),
    ]
    assert (found[0]["memory_used"], found[0]["utilization"], found[0]["power_w"]) == (
        4,
        None,
        120.5,
    )


def test_a_container_is_told_pids_that_mean_nothing_in_it(nvml: Callable[..., Nvml]) -> None:
    """The memory is told, but no process of the container's own is named for it."""
    nvml(Card("GPU-1", processes=[(os.getpid(), 5 * 2**20)]), container=True)
    gpu = machine.devices({os.getpid(): {"id": "job_1", "name": "run1"}})[1]
    unknown = {"user": None, "program": None, "job": None}
    assert gpu["processes"] == [{"pid": os.getpid(), "memory": 5 * 2**20, **unknown}]
    assert gpu["holder"] is None


def test_without_a_driver(nvml: Callable[..., Nvml]) -> None:
    """Only the processor, and the missing driver is not asked at every look."""
    fake = nvml(driver=False)
    for _ in range(3):
        assert [d["id"] for d in machine.devices()] == ["cpu"]
    assert fake.inits == 1


def test_a_reloaded_driver_is_found_again(nvml: Callable[..., Nvml]) -> None:
    """An error of the library as a whole closes it; the next look opens it anew."""
    fake = nvml(Card("GPU-1"))
    assert len(machine.devices()) == 2
    fake.lost = True
    assert len(machine.devices()) == 1
    fake.lost = False
    assert len(machine.devices()) == 2
    assert fake.inits == 2


def test_sampled_only_while_somebody_listens(studio: Studio) -> None:
    """Each sample is a message; without listeners there is no thread."""
    got: queue.Queue[Message] = queue.Queue()
    studio.bus.subscribe(got.put)
    assert monitors() == []
    studio.monitor.listen()
    studio.monitor.listen()
    message = got.get(timeout=10)
    assert (message.type, message.topic) == ("system", "system/monitor")
    assert message.payload["devices"][0]["id"] == "cpu"
    assert message.payload["disk"]["free"] > 0
    studio.monitor.leave()
    assert len(monitors()) == 1
    studio.monitor.leave()
    for thread in monitors():
        thread.join(10)
    assert monitors() == []
    history = studio.monitor.history()
    assert history["samples"][0]["at"] == message.payload["at"]
    assert history["samples"][0]["devices"]["cpu"]["memory_used"] > 0


def monitors() -> list[threading.Thread]:
    """Return the living threads of monitors."""
    return [t for t in threading.enumerate() if t.name == "mistudio-monitor"]


def test_our_workers_are_the_processors_processes() -> None:
    """With the memory that they hold; a dead one is no error."""
    job = {"id": "job_1", "name": "run1"}
    processor = machine.devices({os.getpid(): job, 2**22 + 1: job})[0]
    alive, dead = processor["processes"]
    assert alive["job"] == job
    assert alive["memory"] > 0
    assert dead["memory"] is None
    assert processor["holder"] == "run1"


def test_load_is_that_since_one_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks, in whatever thread; a moment later the answer is the same."""
    now = {**dict.fromkeys(machine._TIMES, 0.0), "idle": 100.0}
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(**now))
    load = machine.Load()
    now.update(user=3.0, idle=101.0)
    answers: list[float] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: answers.append(load.now()))
        thread.start()
        thread.join()
    assert answers == [0.75, 0.75]
    now.update(idle=103.0)
    assert load.now() == 0.0


def test_who_holds_and_who_waits(nvml: Callable[..., Nvml]) -> None:
    """Leases of all servers of the node stand at their device; slots are the processor's."""
    nvml(Card("GPU-1"))
    facts = {"devices": [], "since": "2026-01-01T00:00:00Z", "idle": False, "memory": 0}
    leases = [
        {**facts, "device": "GPU-1", "user": "ada", "job": "job_1"},
        {**facts, "device": None, "devices": ["GPU-1"], "user": "bob", "job": "job_2"},
        {**facts, "device": "slot-1", "user": "ada", "job": None, "idle": True},
    ]
    processor, gpu = machine.devices({}, leases)
    assert [(e["user"], e["waiting"]) for e in gpu["leases"]] == [("ada", False), ("bob", True)]
    assert gpu["holder"] == "ada"
    assert processor["leases"][0]["idle"]
