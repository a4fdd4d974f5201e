"""An extraction folder: its manifest, its state, and how much of it is written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

from mistudio_ext.activations import arrays, journal, naming
from mistudio_ext.activations import manifest as manifests
from mistudio_ext.errors import ConflictError


class ExtractionFolder:
    """What an extraction folder says about itself, read afresh when it changes.

    Parameters
    ----------
    path
        The extraction folder.

    Raises
    ------
    NotFoundError
        If there is no extraction in the folder.
    ConflictError
        If its manifest is damaged or of a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path).absolute()
        # One value, so that threads (a live card) never see one part without the other.
        self._read: tuple[tuple[int, int], dict[str, Any]] | None = None
        self._headers: dict[str, arrays.Header] = {}
        self.refresh()

    def refresh(self) -> Self:
        """Forget what was read of the folder and read it again; returns itself."""
        self._read = None
        self._headers.clear()
        _ = self.manifest
        return self

    @property
    def path(self) -> Path:
        """The extraction folder."""
        return self._path

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of ``manifest.json``, read again if it was rewritten."""
        file = self._path / manifests.FILE_NAME
        try:
            found = file.stat()
        except FileNotFoundError:
            return manifests.read(self._path)
        stamp = (found.st_mtime_ns, found.st_ino)
        known = self._read
        if known is None or known[0] != stamp:
            self._read = known = (stamp, manifests.read(self._path))
        return known[1]

    @property
    def id(self) -> str:
        """The extraction's id, ``ext_…``."""
        return str(self.manifest.get("id") or self._path.name)

    @property
    def name(self) -> str:
        """The name that was given, else the id."""
        return str(self.manifest.get("name") or self.id)

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``done``, ``failed``, ``cancelled`` or ``interrupted``."""
        return str(self.manifest.get("state", "queued"))

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked for: model, dataset, tokenization, hooks, layout, positions, dtype."""
        spec: dict[str, Any] = self.manifest.get("spec") or {}
        return spec

    @property
    def hooks(self) -> tuple[str, ...]:
        """Full names of the hooks, in the order of the forward pass."""
        return tuple(self.spec.get("hooks") or ())

    @property
    def layout(self) -> str:
        """``packed`` or ``padded``."""
        return str(self.spec.get("layout", "packed"))

    @property
    def positions(self) -> str:
        """``all``, ``last`` or ``mean``."""
        return str(self.spec.get("positions", "all"))

    @property
    def unit(self) -> str:
        """What ``ready`` and ``total`` count: ``tokens``, or ``samples`` if one row per sample."""
        return "tokens" if self.positions == "all" else "samples"

    @property
    def total(self) -> int | None:
        """How many tokens (or samples) there will be; None until that is known."""
        found = self.manifest.get(f"n_{self.unit}")
        return None if found is None else int(found)

    @property
    def ready(self) -> int:
        """How many tokens (or samples) are written so far."""
        written = self._written()
        return written["tokens"] if self.unit == "tokens" else written["samples"]

    @property
    def samples_ready(self) -> int:
        """How many samples are written so far."""
        return self._written()["samples"]

    @property
    def statistics(self) -> dict[str, dict[str, Any] | None]:
        """Hook to ``{mean, std, mean_norm, max_abs, sparsity, …}``; None until it is finished."""
        return {hook: self._entry(hook).get("statistics") for hook in self.hooks}

    @property
    def nbytes(self) -> int:
        """Bytes of all hooks' arrays as far as their files are made."""
        headers = [self._header(naming.file_name(self.manifest, hook)) for hook in self.hooks]
        return sum(math.prod(h.shape) * h.itemsize for h in headers if h is not None)

    def _written(self) -> journal.Progress:
        """Return how many samples and tokens are written."""
        manifest = self.manifest
        if manifest.get("state") == "done":
            return {
                "samples": int(manifest.get("n_samples") or 0),
                "tokens": int(manifest.get("n_tokens") or 0),
            }
        return journal.last(self._path) or {"samples": 0, "tokens": 0}

    def _entry(self, hook: str) -> dict[str, Any]:
        files = self.manifest.get("files") or {}
        entry: dict[str, Any] = files.get(naming.file_name(self.manifest, hook)) or {}
        return entry

    def _header(self, name: str) -> arrays.Header | None:
        """Return a file's header; None if the file is not there yet."""
        if name not in self._headers:
            try:
                self._headers[name] = arrays.read_header(self._path / name)
            except FileNotFoundError:
                return None
            except ConflictError:
                if self.state == "done" or self._written()["samples"]:
                    raise
                return None
        return self._headers[name]
