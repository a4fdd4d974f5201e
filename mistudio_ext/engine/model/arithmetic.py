"""What decides the last bits of a value: the processor, and switches of the libraries.

Two processors, or two instruction sets of one, round the same sum differently. That is within the
tolerance of docs/formats.md, but arrays of the one are not, bit for bit, arrays of the other. So
what computed them is recorded. Switches that trade accuracy for speed are turned off.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

#: Environment variables by which libraries are told to use other instructions or fewer digits.
_SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
_CPU_INFO = Path("/proc/cpuinfo")


def use_full_float32() -> None:
    """Compute float32 in float32: no TF32 on a GPU, no bfloat16 in its place on a CPU."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def processor(device: torch.device) -> dict[str, str]:
    """Return what computes on a device.

    Returns
    -------
    dict
        ``name``, ``capability`` (instruction set that torch uses, or ``sm_90``), and the
        environment variables that are set and choose instructions, as they are.
    """
    switches = {name: os.environ[name] for name in _SWITCHES if name in os.environ}
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        name, capability = torch.cuda.get_device_name(device), f"sm_{major}{minor}"
    else:
        name, capability = _cpu_name(), torch.backends.cpu.get_cpu_capability()
    return {"name": name, "capability": capability, **switches}


def _cpu_name() -> str:
    try:
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
