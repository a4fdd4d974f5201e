"""NVIDIA GPUs through NVML: no CUDA context, each question asked on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def gpus() -> list[Json]:
    """Return the NVIDIA GPUs; an empty list where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int) -> Json:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def ask(question: Callable[..., Any], *arguments: Any) -> Any:
        """Return the answer, None where this GPU or container does not give one."""
        try:
            return question(handle, *arguments)
        except pynvml.NVMLError:
            return None

    memory = ask(pynvml.nvmlDeviceGetMemoryInfo)
    rates = ask(pynvml.nvmlDeviceGetUtilizationRates)
    return {
        "id": f"cuda:{index}",
        "uuid": ask(pynvml.nvmlDeviceGetUUID),
        "name": ask(pynvml.nvmlDeviceGetName) or f"GPU {index}",
        "kind": "gpu",
        "memory_total": memory.total if memory else None,
        "memory_used": memory.used if memory else None,
        "utilization": rates.gpu / 100.0 if rates else None,
        "temperature": ask(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU),
        "holder": None,
    }
