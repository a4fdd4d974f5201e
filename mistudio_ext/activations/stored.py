"""The arrays of an extraction folder, as far as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

from mistudio_ext.activations import arrays, naming
from mistudio_ext.activations.errors import NotWrittenError
from mistudio_ext.activations.folder import ExtractionFolder
from mistudio_ext.errors import ConflictError


class StoredArrays(ExtractionFolder):
    """A mapping from hook names to arrays, with the index that belongs to them."""

    def refresh(self) -> Self:
        """Forget what was read of the folder and read it again; returns itself."""
        for name in ("tokens", "offsets", "rows", "_maps"):
            self.__dict__.pop(name, None)
        return super().refresh()

    def __getitem__(self, hook: naming.HookKey) -> arrays.Mapped:
        """Return a hook's rows as far as they are written.

        Parameters
        ----------
        hook
            A full name (``"blocks.2.hook_resid_post"``), a short name where
            only one layer was stored (``"resid_post"``), or a short name and
            a layer (``acts["resid_post", 2]``; negative layers count from the
            last one stored).

        Returns
        -------
        np.memmap
            Read-only. ``[n_tokens, d]`` packed, ``[n_samples, context, d]``
            padded on the right with zeros, ``[n_samples, d]`` for positions
            ``last`` and ``mean``; the first axis ends with what is written
            (0 before the job has begun to write).

        Raises
        ------
        UnknownHookError
            Also a KeyError: no such hook; names those there are.
        NotWrittenError
            The job ended before it wrote anything.
        """
        name = self._full_name(hook)
        if self._is_awaited(name):
            return arrays.map_nothing(self._path, self._expected_shape(name), self._dtype)
        file, header = self._array(name)
        rows = min(self._rows_written(), header.shape[0])
        kept = self._maps.get(name)
        if kept is None or len(kept) != rows:
            self._maps[name] = kept = arrays.map_rows(file, header, rows)
        return kept

    @cached_property
    def _maps(self) -> dict[str, arrays.Mapped]:
        """The mapping of each hook that was asked for last."""
        return {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.hooks)

    def __len__(self) -> int:
        return len(self.hooks)

    def __contains__(self, hook: object) -> bool:
        return hook in self.hooks

    def keys(self) -> tuple[str, ...]:
        """Return the hooks, so that ``dict(acts)`` works."""
        return self.hooks

    def shape(self, hook: naming.HookKey) -> tuple[int, ...] | None:
        """Return the shape a hook's array has in the end; None if it is not known yet.

        Raises
        ------
        UnknownHookError
            Also a KeyError: no such hook.
        """
        name = self._full_name(hook)
        header = self._header(naming.file_name(self.manifest, name))
        if header is not None:
            return header.shape
        known = self._entry(name).get("shape")
        return tuple(known) if known else None

    @cached_property
    def tokens(self) -> arrays.Mapped:
        """Token ids of all samples one after the other, ``[n_tokens]`` integers, read-only.

        All of them, also while activations are still being written: the first
        ``ready`` belong to rows that can be read.
        """
        return self._index("tokens")

    @cached_property
    def offsets(self) -> arrays.Mapped:
        """Where each sample begins in ``tokens``, and the end: ``[n_samples + 1]`` int64."""
        return self._index("offsets")

    @cached_property
    def rows(self) -> arrays.Mapped:
        """The dataset row in which each sample begins, ``[n_samples]`` int64."""
        return self._index("rows")

    def _full_name(self, hook: naming.HookKey) -> str:
        if not self.hooks and self.state in ("queued", "running"):
            raise NotWrittenError(
                "The hooks are not known before the model is loaded.",
                hint="acts.wait() waits for the extraction.",
            )
        return naming.resolve(self.hooks, hook)

    def _rows_written(self) -> int:
        """Return how many rows of the arrays' first axis are written."""
        packed = self.positions == "all" and self.layout == "packed"
        return self._written()["tokens" if packed else "samples"]

    def _array(self, hook: str) -> tuple[Path, arrays.Header]:
        name = naming.file_name(self.manifest, hook)
        return self._path / name, self._need(name)

    @property
    def _dtype(self) -> str:
        return str(self.spec.get("dtype", "float16"))

    def _is_awaited(self, hook: str) -> bool:
        """Return whether a hook's file is not there yet, but will be."""
        name = naming.file_name(self.manifest, hook)
        return self.state in ("queued", "running") and self._header(name) is None

    def _expected_shape(self, hook: str) -> tuple[int, ...]:
        """Return the shape of no rows of a hook, as far as the manifest knows it."""
        return (0, *(self._entry(hook).get("shape") or (0, 0))[1:])

    def _index(self, stem: str) -> arrays.Mapped:
        """Map tokens, offsets or rows, which are complete before anything else is written."""
        name = f"{stem}.npy"
        if self.state == "queued" and not self.samples_ready:
            raise self._not_written(name)
        header = self._need(name)
        return arrays.map_rows(self._path / name, header, header.shape[0])

    def _need(self, name: str) -> arrays.Header:
        header = self._header(name)
        if header is None:
            raise self._not_written(name)
        return header

    def _not_written(self, name: str) -> ConflictError:
        if self.state == "done":
            return ConflictError(
                f"{name} is missing in {self._path}.",
                code="missing_array",
                hint="Run the extraction again, or fetch the file again.",
            )
        error = self.manifest.get("error") or {}
        return NotWrittenError(
            f"Nothing is written yet: the extraction '{self.name}' is {self.state}.",
            hint=error.get("message") or "acts.wait() waits for it, acts.ready says how far it is.",
        )
