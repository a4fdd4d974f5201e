"""A model's tokenizer, and the special tokens that it puts around a text."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mistudio_ext.activations.tokenizer import load_tokenizer, text_of_token, write_token_texts
from mistudio_ext.disk.atomic import write_whole
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.keys import RULES
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Frame
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.quick_encoder import QuickEncoder
from mistudio_ext.workers.tokenizers.frame import find_frame, framed


class TextEncoder:
    """Turns texts into token ids, as the tokenizer does by itself.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers, fast or slow.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()
        self.quick: QuickEncoder | None = None
        self._found = find_frame(tokenizer, self.encode)
        self._special = frozenset(tokenizer.all_special_ids)
        self._check_all = False
        self._never_cut()

    @property
    def frame(self) -> Frame:
        """The special tokens that the tokenizer puts around a text.

        Raises
        ------
        InvalidInputError
            ``unsupported_tokenizer``, if that cannot be told.
        """
        if self._found.problem is not None:
            raise self._found.problem
        return self._found.frame

    def frame_for(self, settings: TokenizationSpec) -> Frame:
        """Return :attr:`frame` where these settings need it, else BOS and EOS alone."""
        return self.frame if settings.special_tokens else self._found.frame

    @classmethod
    def load(cls, path: Path, *, allow_remote_code: bool = False) -> TextEncoder:
        """Load the tokenizer of a model folder.

        Raises
        ------
        InvalidInputError
            ``no_tokenizer``, ``remote_code`` or ``broken_tokenizer``.
        """
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        tokenizer = load_tokenizer(path, allow_remote_code=allow_remote_code)
        return cls(tokenizer)

    @property
    def fast(self) -> bool:
        """Whether the tokenizer runs in the ``tokenizers`` library."""
        return self._backend is not None

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        ids = self.tokenizer.get_vocab().values()
        return max(len(self.tokenizer), max(ids, default=-1) + 1)

    def quicken(self, texts: Sequence[str]) -> None:
        """Use a faster library from now on, if one gives the same ids for these texts."""
        if self._backend is not None and not self._found.depends_on_text and not self._check_all:
            self.quick = QuickEncoder.open(self._backend, self.encode, texts)

    def compare(self, texts: Sequence[str]) -> None:
        """Compare the special tokens with what the tokenizer does to these texts.

        Where it does something else to one of them, every row is compared from now on.
        """
        if self._found.problem is None:
            self._check_all = not all(map(self._framed_alike, texts))

    def require_frame(self, text: str, ids: Sequence[int]) -> None:
        """Refuse a text around which the tokenizer puts other special tokens than usual.

        Raises
        ------
        InvalidInputError
            ``other_special_tokens``.
        """
        suspect = self._found.depends_on_text and not self._special.isdisjoint(ids)
        if (suspect or self._check_all) and not self._framed_alike(text):
            raise InvalidInputError(
                "The tokenizer puts other special tokens around this text than around others, "
                "because special tokens are written in it.",
                code="other_special_tokens",
                field="special_tokens",
                hint="Remove them from the text, switch special tokens off, or skip bad rows.",
            )

    def _framed_alike(self, text: str) -> bool:
        try:
            whole = list(self.tokenizer(text, verbose=False)["input_ids"])
            ids = self.encode([text])[0]
        except Exception:  # noqa: BLE001 - what cannot be tokenized is told with its row
            return True
        finally:
            self._never_cut()
        # Rows without tokens make no contexts.
        return not ids or whole == framed(self._found.frame, ids)

    def _never_cut(self) -> None:
        """Undo what a call of the tokenizer may have set."""
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without special tokens around it."""
        if not texts:
            return []
        if self.quick is not None:
            flat, sizes = self.quick.encode(texts)
            ends = np.cumsum(sizes)[:-1]
            return [ids.tolist() for ids in np.split(flat, ends)]
        if self._backend is not None:
            encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
            return [encoding.ids for encoding in encodings]
        found: list[list[int]] = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        return found

    def render_chat(self, turns: list[dict[str, Any]], tools: list[Any] | None = None) -> str:
        """Return turns as the tokenizer's chat template writes them, with the tools if any."""
        if not getattr(self.tokenizer, "chat_template", None):
            raise InvalidInputError(
                "The tokenizer has no chat template.",
                code="no_chat_template",
                field="chat_template",
                hint="Switch the chat template off to read turns as plain text.",
            )
        return str(self.tokenizer.apply_chat_template(turns, tools=tools, tokenize=False))

    def save_for_preview(self, folder: Path, guard: DiskGuard | None = None) -> bool:
        """Write what :class:`mistudio_ext.store.preview.Previewer` needs; False for slow ones.

        Of those the texts of the tokens are kept, which the server cannot ask for.

        Raises
        ------
        NoSpaceError
            If it does not fit; no file is left half written.
        """
        if self._backend is None:
            write_token_texts(self.tokenizer, self.vocab_size, folder)
            return False
        folder.mkdir(parents=True, exist_ok=True)
        template = getattr(self.tokenizer, "chat_template", None)
        facts = {
            **self.facts(),
            "rules": RULES["model"],
            "chat_template": template if isinstance(template, (str, dict)) else None,
            "special_texts": {
                name: str(text)
                for name, text in self.tokenizer.special_tokens_map.items()
                if isinstance(text, str)
            },
        }
        described = {
            "tokenizer.json": self._backend.to_str(pretty=False),
            "tokenizer_facts.json": json.dumps(facts),
        }
        for name, text in described.items():
            data = text.encode()
            if guard is not None:
                guard.before(len(data), "The tokenizer")
            write_whole(folder / name, data, 0o666)
        return True

    def description(self) -> dict[str, Any]:
        """Return what a person wants to know about the tokenizer."""
        tokenizer = self.tokenizer
        roles = {
            value: name.removesuffix("_token")
            for name, value in tokenizer.special_tokens_map.items()
            if isinstance(value, str)
        }
        longest = int(tokenizer.model_max_length)
        specials = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
        return {
            "class": type(tokenizer).__name__,
            "fast": self.fast,
            "vocab_size": self.vocab_size,
            # transformers writes "no limit" as a number beyond all sizes.
            "model_max_length": longest if longest < 2**31 else None,
            "special_tokens": [
                {"id": int(i), "text": str(text), "role": roles.get(str(text), "special")}
                for i, text in sorted(specials)
            ],
            "chat_template": getattr(tokenizer, "chat_template", None) or None,
        }

    def facts(self) -> dict[str, Any]:
        """Return what is written into the manifest about the tokenizer."""
        return {
            "class": type(self.tokenizer).__name__,
            "fast": self.fast,
            "vocab_size": self.vocab_size,
            "prefix": list(self._found.frame.prefix),
            "suffix": list(self._found.frame.suffix),
            "frame_problem": None if self._found.problem is None else self._found.problem.message,
            "bos_token_id": self._found.frame.bos,
            "eos_token_id": self._found.frame.eos,
            "pad_token_id": self.tokenizer.pad_token_id,
            "special_ids": sorted(self.tokenizer.all_special_ids),
        }

    def decode(self, token: int) -> str:
        """Return the text of one token; bytes that are no character alone show as U+FFFD."""
        return text_of_token(self.tokenizer, token)


def model_vocab_size(path: Path) -> int | None:
    """Return the number of token embeddings that a model's ``config.json`` names."""
    try:
        config = json.loads((path / "config.json").read_text())
    except (OSError, ValueError):
        return None
    for part in (config, config.get("text_config") or {}):
        if isinstance(part.get("vocab_size"), int):
            return int(part["vocab_size"])
    return None
