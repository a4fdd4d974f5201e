"""What a tokenization would give, token by token, while its settings are being chosen.

It runs in the server, so it uses the ``tokenizers`` library alone, on the
tokenizer as transformers had loaded it when the model was imported. Contexts
are cut by the code that cuts them in the real run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.keys import RULES
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store import columns as cols
from mistudio_ext.store.chat import render_chat
from mistudio_ext.store.contexts import Cutter, Frame
from mistudio_ext.store.junk import junk_share, without_junk
from mistudio_ext.store.turns import messages
from mistudio_ext.store.turns import tools as tools_of

#: Characters and contexts that one preview shows at most.
MAX_CHARS = 100_000
MAX_CONTEXTS = 200

#: Row, token id, piece, and span in the row's text.
_Piece = tuple[int, int, str, tuple[int, int]]

#: Above this a number stands for a place in the texts, below it is a token id.
_PLACE = 1 << 40


class Previewer:
    """A model's tokenizer, for looking at a few texts.

    Parameters
    ----------
    folder
        ``models/<id>``, with what the import of the model left there.

    Raises
    ------
    InvalidInputError
        ``no_preview``, if the model has no tokenizer of the fast kind.
    """

    def __init__(self, folder: Path) -> None:
        try:
            facts = json.loads((folder / "tokenizer_facts.json").read_text())
        except FileNotFoundError:
            raise InvalidInputError(
                "This model's tokenizer cannot be previewed.",
                code="no_preview",
                field="model",
                hint="Tokenise a few rows instead, with max_rows.",
            ) from None
        if facts.get("rules") != RULES["model"]:
            raise InvalidInputError(
                "What is kept of this tokenizer was read by the rules of an earlier release.",
                code="no_preview",
                field="model",
                hint="Register the model again, or tokenise a few rows instead, with max_rows.",
            )
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._frame = Frame(
            tuple(facts["prefix"]),
            tuple(facts["suffix"]),
            facts["bos_token_id"],
            facts["eos_token_id"],
        )
        self._frame_problem = facts.get("frame_problem")
        self._special = frozenset(facts["special_ids"])
        self._chat_template = facts.get("chat_template")
        self._special_texts = facts.get("special_texts", {})
        self._byte_level = "ByteLevel" in str(self._tokenizer.decoder)

    def tokenize(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the token ids of a text without special ones, and their spans in it."""
        (found,) = self._encode([text])
        return found.ids, found.offsets

    def text_of(self, value: Any, settings: TokenizationSpec, tools: Any = None) -> str:
        """Return the text that the real run would tokenise for a cell, and the tools beside it."""
        if settings.chat_template and value is not None:
            turns = messages(value)
            if turns is None:
                raise InvalidInputError(
                    "This is no list of turns.",
                    code="no_chat",
                    field="chat_template",
                    hint="Switch the chat template off, or choose a column of role and content.",
                )
            text = render_chat(self._chat_template, self._special_texts, turns, tools_of(tools))
        else:
            text = cols.as_text(value)
        return without_junk(text) if settings.junk == "remove" else text

    def preview(
        self,
        values: Sequence[Any],
        settings: TokenizationSpec,
        offset: int = 0,
        limit: int = MAX_CONTEXTS,
        tools: Sequence[Any] | None = None,
    ) -> dict[str, Any]:
        """Tokenise a few rows.

        Parameters
        ----------
        values
            One cell per row: a text, or turns.
        settings
            With ``context`` set.
        offset, limit
            Which of the contexts to return; at most ``MAX_CONTEXTS``.
        tools
            For each row the tools that its chat could use, if there are any.

        Returns
        -------
        dict
            ``{"texts", "contexts": [{"row", "start", "tokens": [{"id", "text", "special",
            "row"?, "start"?, "end"?}]}], "n_contexts", "n_tokens", "skipped":
            {"empty", "short", "junk"}}``. ``start`` and ``end`` of a token are code
            points in the text of its row; tokens that the tokenizer added have
            none. Bytes that are no character alone are shown as ``<0xE2>``.
        """
        most = settings.max_junk_share
        junk = [most is not None and junk_share(cols.as_text(v)) > most for v in values]
        beside = [None] * len(values) if tools is None else tools
        pairs = zip(values, beside, strict=True)
        texts = [self.text_of(value, settings, tool) for value, tool in pairs]
        if sum(map(len, texts)) > MAX_CHARS:
            raise InvalidInputError(
                f"A preview takes at most {MAX_CHARS:,} characters.",
                code="too_long",
                field="texts",
                hint="Choose a shorter text.",
            )
        if self._frame_problem and settings.special_tokens:
            raise InvalidInputError(
                self._frame_problem,
                code="unsupported_tokenizer",
                field="special_tokens",
                hint="Switch special tokens off.",
            )
        encodings = self._encode(texts)
        cutter = Cutter(settings, self._frame, own_specials=not settings.chat_template)
        pieces: list[_Piece] = []
        for row, found in enumerate(encodings):
            if junk[row]:
                continue
            first = _PLACE + len(pieces)
            columns = zip(found.ids, found.tokens, found.offsets, strict=True)
            pieces += [(row, *column) for column in columns]
            cutter.add([(row, range(first, _PLACE + len(pieces)))])
        block = cutter.finish()
        contexts = []
        whole = block.contexts()
        for i in range(len(whole))[offset : offset + min(limit, MAX_CONTEXTS)]:
            chips = [self._chip(int(token), pieces) for token in whole[i]]
            contexts.append({"row": block.rows[i], "start": block.starts[i], "tokens": chips})
        return {
            "texts": texts,
            "contexts": contexts,
            "n_contexts": len(block.lengths),
            "n_tokens": len(block.tokens),
            "skipped": {"empty": block.empty, "short": block.short, "junk": sum(junk)},
        }

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        """Tokenize texts; a text that the tokenizer refuses is a user's error."""
        try:
            return list(self._tokenizer.encode_batch(list(texts), add_special_tokens=False))
        except Exception as error:
            raise InvalidInputError(
                f"The tokenizer refuses a text: {error}",
                code="bad_row",
                field="texts",
                hint="Choose a text of words that its vocabulary has.",
            ) from error

    def _chip(self, token: int, pieces: Sequence[_Piece]) -> dict[str, Any]:
        if token < _PLACE:
            piece = self._tokenizer.id_to_token(token)
            return {"id": token, "text": piece, "special": True}
        row, found, piece, (start, end) = pieces[token - _PLACE]
        special = found in self._special
        text = piece if special else self._shown(piece)
        chip = {"id": found, "text": text, "special": special}
        return {**chip, "row": row, "start": start, "end": end}

    def _shown(self, piece: str) -> str:
        """Return a piece as the text that it stands for."""
        if not self._byte_level:
            return piece.replace("\u2581", " ")
        table = _byte_of()
        if any(c not in table for c in piece):
            return piece
        raw = bytes(table[c] for c in piece)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            shown = raw.decode(errors="surrogateescape")
            return "".join(
                f"<0x{ord(c) - 0xDC00:02X}>" if "\udc80" <= c <= "\udcff" else c for c in shown
            )


@lru_cache(maxsize=1)
def _byte_of() -> dict[str, int]:
    """Return the byte of each character that byte-level tokenizers write for one (GPT-2's)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(b): b for b in plain}
    others = (b for b in range(256) if b not in set(plain))
    return table | {chr(256 + i): b for i, b in enumerate(others)}


def is_current(folder: Path) -> bool:
    """Tell whether a folder has what previews need of a tokenizer, by the rules of today."""
    try:
        facts = json.loads((folder / "tokenizer_facts.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(facts.get("rules") == RULES["model"])


@lru_cache(maxsize=8)
def _open(folder: Path, mtime_ns: int) -> Previewer:
    return Previewer(folder)


def open_previewer(folder: Path) -> Previewer:
    """Open a model's tokenizer for previews, or return it from the cache."""
    facts = folder / "tokenizer_facts.json"
    return _open(folder, facts.stat().st_mtime_ns if facts.is_file() else 0)
