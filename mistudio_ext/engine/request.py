"""What an extraction is asked to do: the worker's ``spec.json``, read and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mistudio_ext.engine.arrays import checksum_of
from mistudio_ext.engine.forward.lengths import Lengths
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.spec import ExtractionSpec

#: Tokens looked at together when token ids are checked or copied.
_PIECE = 1 << 22


@dataclass(frozen=True)
class Request:
    """One extraction: the spec, where the model is, and the folder to fill."""

    raw: dict[str, Any]
    spec: ExtractionSpec
    folder: Path
    model_path: Path
    format: str
    allow_remote_code: bool
    allow_pickle: bool
    disk_reserve_bytes: int
    threads: int | None
    fallback: tuple[str, ...] = ()
    """Formats to try in turn if the model does not fit in the first."""
    fell_back: tuple[str, str] | None = None
    """Format that was asked for and why it is another, of a variant that fell back before."""

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Self:
        """Read ``spec.json``'s content."""
        extraction, model = raw["extraction"], raw["model"]
        spec = ExtractionSpec.from_dict(extraction["spec"])
        if not spec.hooks:
            raise InvalidInputError(
                "No hook point was chosen.",
                code="no_hooks",
                field="hooks",
                hint="Choose at least one, for example resid_post.",
            )
        return cls(
            raw=raw,
            spec=spec,
            folder=Path(extraction["path"]),
            model_path=Path(model["path"]),
            format=str(model.get("format") or "fp32"),
            allow_remote_code=bool(raw.get("allow_remote_code", False)),
            allow_pickle=bool(raw.get("allow_pickle", False)),
            disk_reserve_bytes=int(raw.get("disk_reserve_bytes") or 0),
            threads=raw.get("threads"),
            fallback=tuple(model.get("fallback") or ()),
            fell_back=(model["requested_format"], model.get("fallback_reason") or "")
            if model.get("requested_format")
            else None,
        )

    @property
    def asked_format(self) -> str:
        """The format that somebody chose, before anything fell back."""
        return self.fell_back[0] if self.fell_back else self.format

    @property
    def fingerprint(self) -> str:
        """The facts that decide the result."""
        return str(self.raw["extraction"].get("fingerprint") or "")

    @property
    def share(self) -> int | None:
        """Bytes of the device's memory that are leased; None where nobody says."""
        lease = self.raw.get("lease")
        return int(lease["memory"]) if lease else None

    @property
    def reuse(self) -> list[str]:
        """Folders of extractions that may hold some of the arrays already."""
        return list(self.raw["extraction"].get("reuse") or ())


@dataclass(frozen=True)
class Contexts:
    """The samples to run, memory-mapped from the tokenization and cut to ``max_samples``.

    ``offsets`` int64 ``[n + 1]`` are their boundaries in ``tokens``.
    """

    folder: Path
    tokens: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    context: int

    @classmethod
    def open(cls, tokenization: dict[str, Any], max_samples: int | None) -> Self:
        """Open a tokenization.

        Raises
        ------
        InvalidInputError
            If it has no token (code ``empty_tokenization``).
        """
        folder = Path(tokenization["path"])
        offsets: npt.NDArray[np.int64] = np.load(folder / "offsets.npy", mmap_mode="r")
        if max_samples is not None:
            offsets = offsets[: max_samples + 1]
        if len(offsets) < 2 or int(offsets[-1]) == 0:
            raise InvalidInputError(
                "The tokenization has no tokens.", code="empty_tokenization", field="dataset"
            )
        tokens = np.load(folder / "tokens.npy", mmap_mode="r")[: int(offsets[-1])]
        longest = int(np.diff(offsets).max())
        context = int((tokenization.get("settings") or {}).get("context") or longest)
        return cls(folder, tokens, offsets, max(context, longest))

    @property
    def n_samples(self) -> int:
        """How many samples."""
        return len(self.offsets) - 1

    @property
    def n_tokens(self) -> int:
        """How many tokens in all samples together."""
        return int(self.offsets[-1])

    @property
    def longest(self) -> int:
        """Tokens of the longest sample."""
        return int(np.diff(self.offsets).max())

    @property
    def lengths(self) -> Lengths:
        """Longest and shortest of the samples that have a token."""
        found = np.diff(self.offsets)
        found = found[found > 0]
        return Lengths(int(found.max()), int(found.min()), self.n_tokens)

    def check(self, vocab_size: int, positions: int | None) -> None:
        """Refuse tokens that the model does not know and contexts that it cannot read.

        Parameters
        ----------
        vocab_size
            Rows of the model's embedding.
        positions
            Positions that the model has embeddings for; None if they are computed.
        """
        largest = 0
        for first in range(0, self.n_tokens, _PIECE):
            largest = max(largest, int(self.tokens[first : first + _PIECE].max()))
        if largest >= vocab_size:
            raise InvalidInputError(
                f"The tokenization has token {largest}, but the model knows only {vocab_size}.",
                code="token_out_of_range",
                field="dataset",
                hint="Tokenise the dataset with this model's tokenizer.",
            )
        if positions is not None and self.longest > positions:
            raise InvalidInputError(
                f"A context has {self.longest} tokens, but the model has only {positions} "
                "positions.",
                code="context_too_long",
                field="context",
                hint=f"Choose a context of at most {positions} tokens.",
            )

    def copy_to(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Write ``tokens``, ``offsets``, ``rows`` (and ``starts``, ``docs``…) into a folder.

        Returns
        -------
        dict
            File name → ``{shape, dtype, bytes, checksum}`` for the manifest.
        """
        n = self.n_samples
        written = {
            "tokens.npy": self.tokens,
            "offsets.npy": self.offsets,
        }
        for name in ("rows.npy", "starts.npy"):
            if (self.folder / name).is_file():
                written[name] = np.load(self.folder / name, mmap_mode="r")[:n]
        if (self.folder / "docs.npy").is_file():
            docs = np.load(self.folder / "docs.npy", mmap_mode="r")
            pieces = int(np.searchsorted(docs, self.n_tokens))
            written["docs.npy"] = docs[: pieces + 1]
            for name in ("doc_rows.npy", "doc_starts.npy"):
                written[name] = np.load(self.folder / name, mmap_mode="r")[:pieces]
        for name, array in written.items():
            temporary = folder / f".{name}.tmp"
            try:
                with open(temporary, "wb") as file:
                    np.save(file, array)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(folder / name)
            finally:
                temporary.unlink(missing_ok=True)
        return {
            name: {
                "hook": None,
                "shape": list(array.shape),
                "dtype": str(array.dtype),
                "bytes": (folder / name).stat().st_size,
                "checksum": checksum_of(folder / name),
                "statistics": None,
            }
            for name, array in written.items()
        }
