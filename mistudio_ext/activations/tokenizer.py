"""A model's tokenizer, loaded by one rule wherever one is needed, and the texts of its tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mistudio_ext.disk.atomic import write_whole
from mistudio_ext.errors import InvalidInputError, MiStudioError

#: Any one of these makes a folder hold a tokenizer.
TOKENIZER_CORES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)

#: Texts of all tokens of a tokenizer written in Python, beside what previews need.
TEXTS_FILE = "token_texts.json"

#: How SentencePiece writes a blank.
_BLANK = "\u2581"


def has_tokenizer(folder: Path) -> bool:
    """Return whether a model's folder holds a tokenizer."""
    return any((folder / name).is_file() for name in TOKENIZER_CORES)


def load_tokenizer(folder: Path, *, allow_remote_code: bool = False) -> Any:
    """Load the tokenizer of a model's folder with transformers.

    Raises
    ------
    InvalidInputError
        ``no_tokenizer``, ``remote_code`` or ``broken_tokenizer``.
    """
    if not has_tokenizer(folder):
        raise InvalidInputError(
            f"The model in {folder} has no tokenizer.",
            code="no_tokenizer",
            field="model",
            hint="Add the tokenizer's files, or use a dataset that is tokenised already.",
        )
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=allow_remote_code
        )
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        if "trust_remote_code" in text:
            raise InvalidInputError(
                "The tokenizer is made by code of its own, which is not run.",
                code="remote_code",
                field="model",
                hint="An administrator can allow it with allow_remote_code.",
            ) from error
        raise InvalidInputError(
            f"The tokenizer in {folder} cannot be loaded: {text}",
            code="broken_tokenizer",
            field="model",
        ) from error


def text_of_token(tokenizer: Any, token: int) -> str:
    """Return the text of one token, with the blank that belongs to it.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    token
        Bytes that are no character alone give U+FFFD.
    """
    piece = tokenizer.convert_ids_to_tokens(int(token))
    if isinstance(piece, str) and _BLANK in piece:
        # decode would drop it from a lone token.
        return piece.replace(_BLANK, " ")
    text = str(tokenizer.decode([int(token)], clean_up_tokenization_spaces=False))
    return text or ("\ufffd" if piece else "")


def write_token_texts(tokenizer: Any, n_tokens: int, folder: Path) -> None:
    """Keep the texts of all tokens, for readers that cannot load the tokenizer itself."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = json.dumps([_text_or_none(tokenizer, token) for token in range(n_tokens)])
    write_whole(folder / TEXTS_FILE, texts.encode(), 0o666)


def _text_or_none(tokenizer: Any, token: int) -> str | None:
    try:
        return text_of_token(tokenizer, token)
    except Exception:  # noqa: BLE001 - an id between others that stands for nothing
        return None


class TokenTexts:
    """What a handle asks a tokenizer for: texts of tokens, ids and spans of a text.

    Parameters
    ----------
    folders
        Where to look, best first: what the import of the model kept, and the model's folder.
    load
        Load a tokenizer with transformers where there is no ``tokenizer.json``.
    """

    def __init__(self, folders: Sequence[Path], *, load: bool = True) -> None:
        self._folders = folders
        self._load = load
        self._known: dict[int, str | None] = {}

    @cached_property
    def _fast(self) -> Any | None:
        """A ``tokenizers.Tokenizer``, or None."""
        path = next(
            (f / "tokenizer.json" for f in self._folders if (f / "tokenizer.json").is_file()), None
        )
        if path is not None:
            from tokenizers import Tokenizer

            fast: Any = Tokenizer.from_file(str(path))
        else:
            fast = getattr(self._slow, "backend_tokenizer", None)
        if fast is not None:
            # Only decoding and exact spans are wanted of it.
            fast.no_truncation()
            fast.no_padding()
        return fast

    @cached_property
    def _slow(self) -> Any | None:
        """A tokenizer of transformers, or None."""
        folder = next((f for f in self._folders if has_tokenizer(f)), None)
        if folder is None or not self._load:
            return None
        try:
            return load_tokenizer(folder)
        except MiStudioError:
            return None

    @cached_property
    def _table(self) -> list[str | None] | None:
        path = next((f / TEXTS_FILE for f in self._folders if (f / TEXTS_FILE).is_file()), None)
        if path is None:
            return None
        table: list[str | None] = json.loads(path.read_text())
        return table

    def text(self, token: int) -> str | None:
        """Return one token's text, with the blank that belongs to it; None if it is not known.

        Parts of a character that is split over tokens come out as ``�``.
        """
        if token not in self._known:
            self._known[token] = self._text(token)
        return self._known[token]

    def _text(self, token: int) -> str | None:
        if self._table is not None:
            return self._table[token] if 0 <= token < len(self._table) else None
        if self._fast is None:
            return None if self._slow is None else _text_or_none(self._slow, token)
        piece = self._fast.id_to_token(token)
        if piece is not None and _BLANK in piece:
            return str(piece.replace(_BLANK, " "))
        return str(self._fast.decode([token], skip_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str | None:
        """Return the text of some tokens, special ones left out; None without a tokenizer."""
        tokenizer = self._slow if self._fast is None else self._fast
        return None if tokenizer is None else str(tokenizer.decode(ids, skip_special_tokens=True))

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]] | None] | None:
        """Return a text's ids without special ones, and their spans if the tokenizer knows them."""
        try:
            if self._fast is not None:
                found = self._fast.encode(text, add_special_tokens=False)
                return found.ids, found.offsets
            if self._slow is not None:
                ids = self._slow(text, add_special_tokens=False, verbose=False)["input_ids"]
                return list(ids), None
        except Exception:  # noqa: BLE001 - a vocabulary without this text's words
            return None
        return None

    @cached_property
    def special(self) -> frozenset[int]:
        """Ids of the special tokens."""
        if self._fast is not None:
            added = self._fast.get_added_tokens_decoder().items()
            return frozenset(number for number, token in added if token.special)
        return frozenset() if self._slow is None else frozenset(self._slow.all_special_ids)
