"""Which devices there are to lease: GPUs and MIG slices by UUID, slots of the CPU by name."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

VISIBLE = "CUDA_VISIBLE_DEVICES"

#: The one slot of a CPU where no others are declared.
CPU_SLOTS = ("cpu",)

_GPU_IDS = ("GPU-", "MIG-")

#: NVML while it is open.
_open: set[Any] = set()


@dataclass(frozen=True)
class Device:
    """Something on which one job runs at a time.

    Attributes
    ----------
    id
        UUID of a GPU or MIG slice, the name of a CPU slot, or what
        ``CUDA_VISIBLE_DEVICES`` calls a GPU that a scheduler gave to this process.
    kind
        ``gpu`` or ``cpu``.
    index
        Place among its kind: ``cuda:<index>``, in the order of ``nvidia-smi``.
    """

    id: str
    kind: Literal["gpu", "cpu"]
    index: int


def given(environment: Mapping[str, str]) -> list[str] | None:
    """Return the GPUs that Slurm, Kubernetes or the user gave this process, None if all.

    As CUDA reads it, the list ends at the first entry that is no device.
    """
    text = environment.get(VISIBLE)
    if text is None:
        return None
    names: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if not (name.isdigit() or name.startswith(_GPU_IDS)):
            break
        names.append(name)
    return names


def find_devices(declared: Sequence[str], environment: Mapping[str, str]) -> list[Device]:
    """Return the devices of this machine on which this process may run jobs.

    Parameters
    ----------
    declared
        Names from the settings: GPU and MIG UUIDs limit the GPUs to these, all other
        names are CPU slots. Empty: all GPUs and one CPU slot.
    environment
        Where ``CUDA_VISIBLE_DEVICES`` is looked for; it comes before everything else.
    """
    chosen = [name for name in declared if name.startswith(_GPU_IDS)]
    slots = [name for name in declared if not name.startswith(_GPU_IDS)]
    names = given(environment)
    if names is None:
        found = gpu_ids()
        names = [name for name in found if name in chosen] if chosen else found
    gpus = [Device(name, "gpu", index) for index, name in enumerate(names)]
    return gpus + [Device(name, "cpu", index) for index, name in enumerate(slots or CPU_SLOTS)]


def nvml() -> Any:
    """Return NVML, None where there is no driver.

    It stays open: that takes tens of milliseconds, and it is asked while the line is locked.
    """
    import pynvml

    if pynvml not in _open:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return None
        _open.add(pynvml)
    return pynvml


def close_nvml(library: Any) -> None:
    """Let go of NVML: after a driver was reloaded, only a new start of it answers."""
    _open.discard(library)
    with contextlib.suppress(library.NVMLError):
        library.nvmlShutdown()


def gpu_ids() -> list[str]:
    """Return the UUIDs of all GPUs; of one that is cut into MIG slices those of the slices.

    A GPU that does not answer (lost, or not given to this container) is left out.
    """
    library = nvml()
    if library is None:
        return []
    ids: list[str] = []
    try:
        count = library.nvmlDeviceGetCount()
    except library.NVMLError:
        close_nvml(library)
        return []
    for index in range(count):
        with contextlib.suppress(library.NVMLError):
            handle = library.nvmlDeviceGetHandleByIndex(index)
            ids += _slices(library, handle) or [library.nvmlDeviceGetUUID(handle)]
    return ids


def _slices(library: Any, handle: Any) -> list[str]:
    try:
        current, _ = library.nvmlDeviceGetMigMode(handle)
        count = library.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except library.NVMLError:
        return []  # This GPU knows no MIG.
    ids = []
    for index in range(count):
        with contextlib.suppress(library.NVMLError):  # Not every place holds a slice.
            slice_ = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            ids.append(library.nvmlDeviceGetUUID(slice_))
    return ids
