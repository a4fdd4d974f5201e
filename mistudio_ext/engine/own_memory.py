"""Weights in memory of their own.

safetensors maps files, and a tensor whose dtype is that of the file is a view of the map:
whoever writes into the file (``cp`` over it, ``rsync --inplace``) changes the model in the
middle of a run, or ends the process. So views of files are copied before anything is
computed. The pages of a map are the page cache's, so the copy costs no more memory than the
weights themselves.
"""

from __future__ import annotations

import bisect
import contextlib
from pathlib import Path
from typing import Any

import torch

#: Where Linux lists what a process has mapped.
_MAPS = Path("/proc/self/maps")


def detach_from_files(model: Any) -> int:
    """Copy the tensors of a model that are views of a mapped file; return how many.

    Where the system does not list what is mapped, every tensor in host memory is copied.
    """
    mapped = _mapped_files()
    tensors = (*model.parameters(), *model.buffers())
    views = [t for t in tensors if t.device.type == "cpu" and _inside(t, mapped)]
    # Tied weights are one tensor and come once; views of one another stay what they are.
    with torch.no_grad():
        for tensor in views:
            tensor.data = tensor.data.clone()
    return len(views)


def _mapped_files() -> list[tuple[int, int]] | None:
    """Return the address ranges of mapped weights in order, None where nobody tells."""
    ranges = []
    with contextlib.suppress(OSError):
        for line in _MAPS.read_text(errors="replace").splitlines():
            # A file that was replaced meanwhile is listed as "... (deleted)".
            parts = line.split(maxsplit=5)
            if len(parts) == 6 and _is_weights(parts[5].removesuffix(" (deleted)")):
                first, _, end = parts[0].partition("-")
                ranges.append((int(first, 16), int(end, 16)))
        return sorted(ranges)
    return None


def _is_weights(path: str) -> bool:
    # Whatever is mapped from a file and is no library: links of the Hub's cache lead to names
    # without an extension.
    return path.startswith("/") and not Path(path).name.endswith(".so") and ".so." not in path


def _inside(tensor: torch.Tensor, ranges: list[tuple[int, int]] | None) -> bool:
    if ranges is None:
        return True
    address = tensor.data_ptr()
    at = bisect.bisect_right(ranges, (address, 1 << 64)) - 1
    return at >= 0 and ranges[at][0] <= address < ranges[at][1]
