"""The job ``extract``: run the engine on a spec, with the model in memory if it is there."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mistudio_ext.workers.reporter import Reporter

if TYPE_CHECKING:
    from mistudio_ext.engine.load import LoadedModel


@dataclass
class _Kept:
    """The model of the last job; the next one in this process may want the same."""

    key: str = ""
    loaded: LoadedModel | None = None


_kept = _Kept()


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Extract activations into the folder of the spec.

    Parameters
    ----------
    spec
        The job's ``spec.json``.
    report
        Told about phases, progress and warnings.

    Returns
    -------
    dict
        ``n_samples``, ``n_tokens``, ``bytes``, ``timings``, ``hooks``, ``warnings``.
    """
    # Threads that wait by spinning halve each other's speed on a machine that others use too,
    # and starve our own writers. It is read when torch is loaded, so it is set before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # torch and transformers take seconds to import: only a worker that extracts pays for them.
    from mistudio_ext.engine.run import extract

    lease = spec.get("lease")
    # What is in memory is on one device.
    key = f"{lease['model']} on {lease['torch_device']}" if lease else ""
    keep_only(str(lease["model"]) if lease else "")
    if _kept.key != key:
        keep_only("")
    if lease:
        _use_device(spec, lease)

    def keep(loaded: LoadedModel) -> None:
        _kept.key, _kept.loaded = key, loaded

    try:
        return extract(spec, report, _kept.loaded, keep=keep)
    finally:
        _give_back()


def keep_only(key: str) -> None:
    """Forget the model of the last job, unless its key begins with this one."""
    if _kept.loaded is not None and (not key or not _kept.key.startswith(key)):
        _kept.loaded = None
        _give_back()


def _use_device(spec: dict[str, Any], lease: dict[str, Any]) -> None:
    """Run on the leased device, the only one that this process sees, and within its share."""
    import torch

    spec["extraction"]["spec"]["device"] = lease["torch_device"]
    if lease["torch_device"] != "cpu" and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        share = min(1.0, int(lease["memory"]) / total)
        # Beyond it the allocator raises, as on a full device, and the engine halves its batch.
        torch.cuda.set_per_process_memory_fraction(share, 0)


def _give_back() -> None:
    """Give memory that nothing uses any more back to the device and to the system."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
