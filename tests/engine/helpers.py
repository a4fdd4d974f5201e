"""What the engine's tests share: tokenizations, specs, reports, references."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mistudio_ext.errors import CancelledError
from mistudio_ext.spec import ExtractionSpec


class Recorder:
    """A reporter that remembers, and cancels after a number of progress calls."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.phases: list[str] = []
        self.steps: list[tuple[int, int | None, str]] = []
        self.warnings: list[str] = []
        self._cancel_after = cancel_after

    def phase(self, name: str, message: str = "") -> None:
        self.phases.append(name)

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        self.steps.append((done, total, unit))
        if self._cancel_after is not None and len(self.steps) > self._cancel_after:
            raise CancelledError("The job was cancelled.")

    def warn(self, code: str, message: str) -> None:
        self.warnings.append(code)

    def check_cancelled(self) -> None:
        return


def make_tokenization(
    folder: Path, lengths: list[int], vocab: int, seed: int = 0, context: int | None = None
) -> dict[str, Any]:
    """Write a tokenization of random tokens and return its part of the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = generator.integers(3, vocab, int(offsets[-1])).astype(np.uint16)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "rows.npy", np.arange(len(lengths), dtype=np.int64) * 2)
    np.save(folder / "starts.npy", np.zeros(len(lengths), np.int32))
    settings = {"context": context or max(lengths), "mode": "truncate"}
    return {"id": "tok_0000000001", "path": str(folder), "settings": settings}


def make_spec(
    folder: Path,
    model: Path,
    tokenization: dict[str, Any],
    hooks: list[str],
    format: str = "fp32",
    threads: int = 2,
    **settings: Any,
) -> dict[str, Any]:
    """Return an ``extract`` job's spec.json."""
    spec = ExtractionSpec(hooks=tuple(hooks), **{"dtype": "float32", "device": "cpu", **settings})
    return {
        "schema_version": 1,
        "job_id": "job_0000000001",
        "kind": "extract",
        "data_dir": str(folder.parent),
        "disk_reserve_bytes": 0,
        "allow_remote_code": False,
        "threads": threads,
        "extraction": {
            "id": "ext_0000000001",
            "name": "run1",
            "path": str(folder),
            "fingerprint": "f" * 16,
            "spec": spec.to_dict(),
            "created_at": "2026-01-01T00:00:00+00:00",
        },
        "model": {
            "id": "model_0000000001",
            "name": model.name,
            "repo_id": None,
            "path": str(model),
            "revision": None,
            "format": format,
            "fingerprint": "m" * 16,
        },
        "dataset": {"id": "ds_0000000001", "name": "random", "split": "train"},
        "tokenization": tokenization,
    }


def one_by_one(
    model: nn.Module, runner: nn.Module, tokenization: dict[str, Any], modules: dict[str, Any]
) -> dict[str, list[npt.NDArray[Any]]]:
    """Read hand-written hooks, one sample at a time, without any padding.

    ``modules`` maps a name to ``(path, "input" | "output")``; tuples are read at 0.
    """
    folder = Path(tokenization["path"])
    tokens, offsets = np.load(folder / "tokens.npy"), np.load(folder / "offsets.npy")
    found: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in modules}
    handles = []
    for name, (path, side) in modules.items():

        def keep(value: Any, name: str = name) -> None:
            tensor = value[0] if isinstance(value, tuple) else value
            rows = tensor.detach().clone().reshape(-1, tensor.shape[-1])
            found[name].append(rows.float().numpy())

        module = model.get_submodule(path)
        if side == "input":
            handles.append(
                module.register_forward_pre_hook(
                    lambda _, args, kwargs, keep=keep: keep(
                        args[0] if args else kwargs["hidden_states"]
                    ),
                    with_kwargs=True,
                )
            )
        else:
            handles.append(module.register_forward_hook(lambda _, __, out, keep=keep: keep(out)))
    with torch.inference_mode():
        for start, end in pairwise(offsets):
            ids = torch.from_numpy(tokens[start:end].astype(np.int64))[None]
            runner(input_ids=ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return found
