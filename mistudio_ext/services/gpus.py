"""NVIDIA GPUs through NVML: no CUDA context, each question asked on its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Json = dict[str, Any]

#: Seconds after which a machine without a driver is asked again.
LOOK_AGAIN_S = 60.0


class Nvml:
    """The driver's management library, opened once and asked by one thread at a time.

    Containers, MIG and consumer cards answer only some questions: what is not
    answered is None, and the rest is still told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._missing_since = float("-inf")

    def devices(self) -> list[Json]:
        """Return the GPUs, or the slices of those that are cut into slices (MIG).

        Returns
        -------
        list
            ``{id, uuid, parent, name, kind: "gpu", memory_total, memory_used,
            utilization: 0..1, temperature: °C, power_w, power_limit_w, processes:
            [{pid, memory}]}``. ``parent`` is the UUID of the GPU of a slice.
            Empty where there is no driver.
        """
        with self._lock:
            if not self._open():
                return []
            nvml = self._library
            try:
                return [
                    device
                    for index in range(nvml.nvmlDeviceGetCount())
                    for device in _devices(nvml, index)
                ]
            except nvml.NVMLError:
                # The driver was reloaded or a GPU fell off the bus: begin anew.
                self._close()
                return []

    def close(self) -> None:
        """Let go of the library."""
        with self._lock:
            self._close()

    def _open(self) -> bool:
        if self._library is not None:
            return True
        if time.monotonic() - self._missing_since < LOOK_AGAIN_S:
            return False
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            self._missing_since = time.monotonic()
            return False
        self._library = pynvml
        return True

    def _close(self) -> None:
        if self._library is not None:
            with suppress(self._library.NVMLError):
                self._library.nvmlShutdown()
            self._library = None


def _devices(nvml: Any, index: int) -> Iterator[Json]:
    """Yield a GPU, or its slices."""
    try:
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError:
        # Lost, or not given to this container; the others are still there.
        return
    ask = _asker(nvml)
    facts = {
        "temperature": ask(nvml.nvmlDeviceGetTemperature, gpu, nvml.NVML_TEMPERATURE_GPU),
        "power_w": _watts(ask(nvml.nvmlDeviceGetPowerUsage, gpu)),
        "power_limit_w": _watts(ask(nvml.nvmlDeviceGetEnforcedPowerLimit, gpu)),
    }
    name = _text(ask(nvml.nvmlDeviceGetName, gpu)) or f"GPU {index}"
    slices = list(_slices(nvml, gpu))
    if not slices:
        yield {"id": f"cuda:{index}", "parent": None, "name": name, **_load(nvml, gpu), **facts}
    parent = _text(ask(nvml.nvmlDeviceGetUUID, gpu))
    for number, part in enumerate(slices):
        # Heat and power are the whole card's; a slice has memory, and on some drivers its load.
        yield {
            "id": f"cuda:{index}:{number}",
            "parent": parent,
            "name": _text(ask(nvml.nvmlDeviceGetName, part)) or f"{name} slice {number}",
            **_load(nvml, part),
            **facts,
        }


def _slices(nvml: Any, gpu: Any) -> Iterator[Any]:
    ask = _asker(nvml)
    mode = ask(nvml.nvmlDeviceGetMigMode, gpu)
    if not mode or not mode[0]:
        return
    for number in range(ask(nvml.nvmlDeviceGetMaxMigDeviceCount, gpu) or 0):
        part = ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, number)
        if part is not None:
            yield part


def _load(nvml: Any, handle: Any) -> Json:
    ask = _asker(nvml)
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    rates = ask(nvml.nvmlDeviceGetUtilizationRates, handle)
    processes = ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    return {
        "uuid": _text(ask(nvml.nvmlDeviceGetUUID, handle)),
        "kind": "gpu",
        "memory_total": memory.total if memory else None,
        "memory_used": memory.used if memory else None,
        "utilization": rates.gpu / 100.0 if rates else None,
        "processes": [{"pid": p.pid, "memory": p.usedGpuMemory} for p in processes],
    }


def _asker(nvml: Any) -> Callable[..., Any]:
    def ask(question: Callable[..., Any], *arguments: Any) -> Any:
        """Return the answer, None where this GPU, driver or container does not give one."""
        try:
            return question(*arguments)
        except nvml.NVMLError:
            return None

    return ask


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000.0


def _text(value: Any) -> str | None:
    # Older releases of the binding answer with bytes.
    return value.decode() if isinstance(value, bytes) else value


_NVML = Nvml()


def gpus() -> list[Json]:
    """Return the NVIDIA GPUs of this machine, see :meth:`Nvml.devices`."""
    return _NVML.devices()
