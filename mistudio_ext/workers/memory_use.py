"""How much memory a piece of work takes at its peak, on a GPU or on the host."""

from __future__ import annotations

import resource
import sys

import psutil
import torch

#: ``ru_maxrss`` is in KiB on Linux and in bytes on macOS.
_UNIT = 1 if sys.platform == "darwin" else 1024


class Peak:
    """Bytes that were taken at the most since :meth:`begin`.

    On the host that is the growth of the resident memory beyond what was
    resident at the beginning; what Python kept free from before is not seen.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            self._before = psutil.Process().memory_info().rss

    def end(self) -> int:
        """Return the bytes."""
        if self._device.type == "cuda":
            highest = torch.cuda.max_memory_allocated(self._device)
        else:
            highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
        return max(0, highest - self._before)
