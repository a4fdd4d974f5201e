"""The handle of an extraction: its arrays, memory-mapped, even while they are being written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations import arrays, batches, card, live, naming
from mistudio_ext.activations.errors import OutOfRangeError
from mistudio_ext.activations.sample import Location, Sample
from mistudio_ext.activations.stored import StoredArrays
from mistudio_ext.activations.text import TextSource
from mistudio_ext.activations.waiting import Source, wait
from mistudio_ext.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    import torch


class Activations(StoredArrays):
    """Activations of an extraction, as arrays on disk.

    Opening costs the same for any size, and works while the job still runs:
    only rows that are written are ever shown. A handle is also a mapping from
    hook names to arrays: ``for hook in acts``, ``acts[hook]``, ``len(acts)``.

    Parameters
    ----------
    path
        The extraction folder.
    source
        Who runs the job; None for a folder alone.

    Raises
    ------
    NotFoundError
        If there is no extraction in the folder.
    ConflictError
        If its manifest is damaged or of a newer version.

    Examples
    --------
    >>> import mistudio_ext as ms
    >>> acts = ms.open("run1").wait()
    >>> acts["blocks.2.hook_resid_post"].shape
    (104372, 192)
    """

    def __init__(self, path: str | Path, *, source: Source | None = None) -> None:
        self._source = source
        super().__init__(path)

    @cached_property
    def _text(self) -> TextSource:
        return TextSource(self.spec)

    @cached_property
    def _starts(self) -> npt.NDArray[np.integer[Any]] | None:
        """Index of each sample's first token in its row; extractions of ready ids have none."""
        path = self._path / "starts.npy"
        return np.load(path, mmap_mode="r") if path.is_file() else None

    def torch(self, hook: naming.HookKey) -> torch.Tensor:
        """Return a hook's rows as a tensor over the same pages, without a copy.

        A write to the tensor stays in this process and never reaches the file.

        Parameters
        ----------
        hook
            As for ``acts[hook]``.

        Returns
        -------
        torch.Tensor
            On the CPU, shape as ``acts[hook]``, dtype as stored (bfloat16 too).

        Raises
        ------
        UnknownHookError, NotWrittenError
            As for ``acts[hook]``.
        """
        import torch

        file, header = self._array(self._full_name(hook))
        rows = arrays.map_private(file, header, self._rows_written())
        if header.dtype == "bfloat16":
            return torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(rows)

    def batches(
        self,
        hook: naming.HookKey,
        size: int,
        shuffle: bool = True,
        seed: int = 0,
        *,
        drop_last: bool = False,
        buffer_bytes: int = batches.BUFFER_BYTES,
    ) -> Iterator[npt.NDArray[Any]]:
        """Iterate over a hook's rows in batches for training, each row exactly once.

        The rows written at the time of the call are read; padding never is.
        To shuffle, a random choice of spans of about 1 MB is read whole into a
        buffer of ``buffer_bytes``, whose rows go out in a random order while
        the next spans are fetched: the disk is read in long pieces, and the
        rows of a batch come from hundreds of places. An array that fits in
        the buffer is shuffled perfectly.

        Parameters
        ----------
        hook
            As for ``acts[hook]``.
        size
            Rows of a batch.
        shuffle, seed
            Whether and how to shuffle. The same seed and buffer give
            the same order.
        drop_last
            Leave out the last batch if it is smaller.
        buffer_bytes
            Memory for mixing rows.

        Yields
        ------
        np.ndarray
            ``[size, d]``, the last one smaller; stored dtype; a fresh array.

        Raises
        ------
        InvalidInputError
            If ``size`` is less than one.
        UnknownHookError, NotWrittenError
            As for ``acts[hook]``.
        """
        if size < 1:
            raise InvalidInputError("A batch needs at least one row.", field="size")
        file, header = self._array(self._full_name(hook))
        rows, lengths = self._rows_written(), None
        if len(header.shape) == 3:
            lengths = np.diff(self.offsets[: rows + 1]).astype(np.int64)
            rows *= header.shape[1]
        source = batches.RowSource(file, header, rows, lengths)
        return batches.iterate(
            source,
            size,
            shuffle=shuffle,
            seed=seed,
            buffer_bytes=buffer_bytes,
            drop_last=drop_last,
        )

    # --- provenance -------------------------------------------------------------------------

    def sample(self, i: int) -> Sample:
        """Return one sample: its tokens, text, dataset row and activations.

        Parameters
        ----------
        i
            Number of the sample; negative numbers count from the last written.

        Raises
        ------
        OutOfRangeError
            Also an IndexError: no such sample, or not written yet.
        """
        count = self.samples_ready
        index = i + count if i < 0 else i
        if not 0 <= index < count:
            raise OutOfRangeError(
                f"There is no sample {i}: {count:,} are written.",
                hint="acts.wait() waits for the rest." if self.state != "done" else None,
            )
        start, end = int(self.offsets[index]), int(self.offsets[index + 1])
        tokens, row = self.tokens[start:end], int(self.rows[index])
        found: dict[str, npt.NDArray[Any]] = {}
        for hook in self.hooks:
            array = self[hook]
            if self.positions != "all":
                found[hook] = array[index : index + 1]
            elif self.layout == "padded":
                found[hook] = array[index, : end - start]
            else:
                found[hook] = array[start:end]
        text = self._text.sample_text(tokens.tolist(), row, *self._place_in_row(index))
        return Sample(tokens, text, row, found)

    def _place_in_row(self, index: int) -> tuple[int | None, int | None]:
        """Return where a sample begins in its row, and the next one if it goes on with it."""
        if self._starts is None:
            return None, None
        goes_on = index + 1 < len(self.rows) and self.rows[index + 1] == self.rows[index]
        return int(self._starts[index]), int(self._starts[index + 1]) if goes_on else None

    def locate(self, t: int) -> Location:
        """Say where a token comes from.

        Parameters
        ----------
        t
            Index into ``tokens``, which is also the row of a packed array.

        Returns
        -------
        Location
            A tuple ``(sample, position, row, token)``: number of the sample,
            position in it, dataset row, the token's text.

        Raises
        ------
        OutOfRangeError
            Also an IndexError: no such token.
        """
        count = len(self.tokens)
        index = t + count if t < 0 else t
        if not 0 <= index < count:
            raise OutOfRangeError(f"There is no token {t}: there are {count:,}.")
        sample = int(np.searchsorted(self.offsets, index, side="right")) - 1
        position = index - int(self.offsets[sample])
        text = self._text.token_text(int(self.tokens[index]))
        return Location(sample, position, int(self.rows[sample]), text)

    def samples_of(self, row: int) -> range:
        """Return the numbers of the samples that begin in a dataset row."""
        first, last = (int(np.searchsorted(self.rows, row, side=s)) for s in ("left", "right"))
        return range(first, last)

    # --- waiting and showing ----------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Activations:
        """Wait until the extraction is done, with a progress bar; returns itself.

        Interrupting the cell ends the waiting, the job runs on.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes.

        Raises
        ------
        ExtractionError
            The job failed, was cancelled or interrupted; with its own
            message, code and hint.
        WaitTimeoutError
            Also a TimeoutError: not done yet.
        """
        wait(self, self._source, timeout)
        return self

    def cancel(self) -> None:
        """Ask for the job to end; what is written stays, and the same call goes on from there.

        Raises
        ------
        ConflictError
            If the handle does not know who runs the job.
        """
        if self._source is None:
            raise ConflictError(
                "This handle was opened from a folder and does not know its job.",
                code="no_job",
                hint="Cancel it in the Jobs panel.",
            )
        self._source.cancel()

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process (a DataLoader's worker) it is opened again, without its job.
        return type(self), (self.path,)

    def __repr__(self) -> str:
        return card.short(self)

    def _repr_html_(self) -> str:
        return card.card(self)

    def _ipython_display_(self) -> None:
        live.show(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": card.plain(self), "text/html": card.card(self)}
