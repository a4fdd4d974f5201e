"""What a handle answers about one sample and one token."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt


class _SampleFields(NamedTuple):
    tokens: npt.NDArray[Any]
    text: str | None
    row: int
    activations: dict[str, npt.NDArray[Any]]


class Sample(_SampleFields):
    """One sample (one context that the model read).

    A tuple ``(tokens, text, row, activations)``; its parts can also be had by
    name, and a hook's array by ``sample["blocks.2.hook_resid_post"]``.

    Attributes
    ----------
    tokens : np.ndarray
        ``[len]`` token ids, special tokens included.
    text : str or None
        Its text: the exact stretch of the dataset's text where the tokens are
        found in it, else the decoded tokens. None if dataset and tokenizer
        are no longer there.
    row : int
        The dataset row in which it begins.
    activations : dict of str to np.ndarray
        Hook name to ``[len, d]``; ``[1, d]`` where only the last position or
        the mean was stored. Read-only views of the file.
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key in self._fields:
                return getattr(self, key)
            return self.activations[key]
        return tuple.__getitem__(self, key)

    def __repr__(self) -> str:
        text = "" if self.text is None else self.text
        shown = repr(text if len(text) <= 60 else text[:57] + "…")
        return (
            f"<sample of dataset row {self.row}: {len(self.tokens)} tokens, {shown}, "
            f"{len(self.activations)} hooks>"
        )


class Location(NamedTuple):
    """Where a token comes from."""

    #: Number of the sample.
    sample: int
    #: Position of the token in its sample.
    position: int
    #: The dataset row in which the sample begins.
    row: int
    #: The token's text with the space that belongs to it; None without a tokenizer.
    token: str | None
