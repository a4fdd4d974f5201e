"""What is asked for: settings of a tokenization and of an extraction.

These are the frozen facts that server, workers, command line and notebook
share. They are plain data: JSON in, JSON out, no imports beyond the standard
library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from mistudio_ext.errors import InvalidInputError

Layout = Literal["packed", "padded"]
Positions = Literal["all", "last", "mean"]
StorageDtype = Literal["float16", "bfloat16", "float32"]
ModelFormat = Literal["fp32", "bf16", "fp16", "q8", "q4", "q2"]
ContextMode = Literal["truncate", "chunk", "pack"]

_CHOICES: dict[str, tuple[Any, ...]] = {
    "layout": ("packed", "padded"),
    "positions": ("all", "last", "mean"),
    "dtype": ("float16", "bfloat16", "float32"),
    "mode": ("truncate", "chunk", "pack"),
    "bos": ("auto", "each", "first", "none"),
    "junk": ("keep", "remove"),
    "bad_rows": ("stop", "skip"),
}

MODEL_FORMATS: tuple[str, ...] = ("fp32", "bf16", "fp16", "q8", "q4", "q2")


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Return 16 hex digits that are the same for the same facts (BLAKE2b over canonical JSON)."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=list)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Spec:
    """JSON in and out, with clear errors for wrong values."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build from JSON; unknown keys and wrong values raise InvalidInputError."""
        known = {field.name for field in fields(cls)}
        for key in data:
            if key not in known:
                raise InvalidInputError(
                    f"'{key}' is not a setting.",
                    code="unknown_setting",
                    field=key,
                    hint=f"The settings are {', '.join(sorted(known))}.",
                )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if hasattr(self, name) and getattr(self, name) not in choices:
                raise InvalidInputError(
                    f"{name} cannot be {getattr(self, name)!r}.",
                    code=f"bad_{name}",
                    field=name,
                    hint=f"Choose one of {', '.join(choices)}.",
                )


def _at_least(spec: Any, minimum: int, *names: str) -> None:
    for name in names:
        value = getattr(spec, name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < minimum
        ):
            raise InvalidInputError(
                f"{name} must be a whole number of at least {minimum}, not {value!r}.",
                code="bad_number",
                field=name,
            )


@dataclass(frozen=True)
class TokenizationSpec(_Spec):
    """How text becomes contexts of token ids.

    A context is one sequence that the model reads; "sample" in the arrays.
    """

    #: Column with the text; None takes the dataset's own text column.
    column: str | None = None
    #: Longest context in tokens, special tokens included; None takes the model's own, at most 1024.
    context: int | None = None
    #: ``truncate`` keeps the first context of a row, ``chunk`` keeps all of them,
    #: ``pack`` fills contexts with whole rows one after the other.
    mode: ContextMode = "truncate"
    #: Tokens that a chunk repeats from the one before (``chunk`` only).
    overlap: int = 0
    #: Add the tokenizer's own special tokens (BOS, EOS) as it would by itself.
    special_tokens: bool = True
    #: BOS: ``auto`` as the tokenizer does, ``each`` context, ``first`` context of a row, ``none``.
    bos: Literal["auto", "each", "first", "none"] = "auto"
    #: Apply the tokenizer's chat template to a column of turns.
    chat_template: bool = False
    #: Leave out contexts with fewer tokens.
    min_tokens: int = 1
    #: Use only the first rows of the split.
    max_rows: int | None = None
    #: Stop once there are so many contexts.
    max_samples: int | None = None
    #: Junk characters (:mod:`mistudio_ext.store.junk`): ``keep`` them or ``remove`` them.
    junk: Literal["keep", "remove"] = "keep"
    #: Leave out rows with a larger share of junk characters, 0 to 1; None leaves out none.
    max_junk_share: float | None = None
    #: A row that cannot be tokenised: ``stop`` with an error that names it, or ``skip`` it.
    bad_rows: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "context", "min_tokens", "max_rows", "max_samples")
        share = self.max_junk_share
        if share is not None and (
            isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1
        ):
            raise InvalidInputError(
                f"max_junk_share must be a number from 0 to 1, not {share!r}.",
                code="bad_number",
                field="max_junk_share",
            )
        for name, kind, what in (
            ("special_tokens", bool, "true or false"),
            ("chat_template", bool, "true or false"),
            ("column", str | None, "the name of a column"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise InvalidInputError(
                    f"{name} must be {what}, not {getattr(self, name)!r}.",
                    code="bad_setting",
                    field=name,
                )
        _at_least(self, 0, "overlap")


@dataclass(frozen=True)
class ExtractionSpec(_Spec):
    """Which activations to store, and how."""

    #: Full hook names in the order of the forward pass.
    hooks: tuple[str, ...] = ()
    #: ``packed``: [n_tokens, d] without padding; ``padded``: [n_samples, context, d].
    layout: Layout = "packed"
    #: ``all`` positions, only the ``last`` of each sample, or their ``mean``.
    positions: Positions = "all"
    #: Storage dtype of the arrays.
    dtype: StorageDtype = "float16"
    #: Use only the first samples (contexts) of the tokenization.
    max_samples: int | None = None
    #: Tokens that go through the model at once; None lets the engine choose.
    batch_tokens: int | None = None
    #: ``auto``, ``cpu``, ``cuda`` or ``cuda:0``.
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, 1, "max_samples", "batch_tokens")

    @property
    def device_kind(self) -> str | None:
        """The kind of device that is asked for, ``cpu`` or ``gpu``; None for any."""
        return None if self.device == "auto" else "cpu" if self.device == "cpu" else "gpu"
