"""One format after the other until one fits into memory: only those that the user chose."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.errors import OutOfMemoryError

T = TypeVar("T")


@dataclass(frozen=True)
class Fitted(Generic[T]):
    """What fitted, in which format, and what was said about those that did not."""

    value: T
    format: str
    reason: str | None


def first_that_fits(formats: Sequence[str], attempt: Callable[[str], T]) -> Fitted[T]:
    """Return what ``attempt`` makes of the first format that fits into memory.

    Parameters
    ----------
    formats
        The wanted format, then those to fall back to in order; one alone never falls back.
    attempt
        Loads the model in a format, and runs what shows that it fits.

    Raises
    ------
    OutOfMemoryError
        If none fits; it names those that were tried.
    """
    failures: list[str] = []
    for name in formats:
        made, message = _attempt(name, attempt)
        if message is None:
            assert made is not None
            return Fitted(made[0], name, _reason(formats[0], name, failures))
        failures.append(f"{name}: {message}")
    tried = ", ".join(formats)
    raise OutOfMemoryError(
        f"The model does not fit into memory as {tried}: {failures[-1].partition(': ')[2]}",
        hint="Choose a smaller format (bf16, q8, q4, q2) or another device."
        if len(formats) == 1
        else "Choose a smaller model or a device with more memory.",
    )


def _attempt(name: str, attempt: Callable[[str], T]) -> tuple[tuple[T] | None, str | None]:
    """Return the value in a tuple, or the message of an error that says "out of memory".

    Only the message leaves the except block: the traceback would keep the
    tensors of the failed attempt alive.
    """
    message: str
    try:
        return (attempt(name),), None
    except (OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not isinstance(error, OutOfMemoryError) and not is_out_of_memory(error):
            raise
        text = error.message if isinstance(error, OutOfMemoryError) else str(error)
        message = " ".join(text.split())[:200] or type(error).__name__
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None, message


def _reason(wanted: str, made: str, failures: Sequence[str]) -> str | None:
    if not failures:
        return None
    return f"{wanted} did not fit into memory, {made} is used instead ({'; '.join(failures)})"
