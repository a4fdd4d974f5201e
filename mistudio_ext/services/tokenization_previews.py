"""What settings of a tokenization give on a few rows, shown while they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Context, Json, text_of
from mistudio_ext.services.datasets import choose_split
from mistudio_ext.services.tokenization_settings import context_length
from mistudio_ext.services.tokenizers import Tokenizers
from mistudio_ext.spec import TokenizationSpec

#: Rows of a dataset that one preview shows at most.
MAX_ROWS = 20

#: What a request has beside the settings.
_FIELDS = ("model", "tokenizer", "texts", "dataset", "split", "rows", "offset", "limit")


class PreviewService:
    """Tokenises a few rows in the server itself."""

    def __init__(self, context: Context, tokenizers: Tokenizers) -> None:
        self._context = context
        self._tokenizers = tokenizers

    def preview(self, body: Json) -> Json:
        """Tokenise a few rows at once.

        The contexts are cut by the code that cuts them in the real run.

        Parameters
        ----------
        body
            ``{model | tokenizer, texts | dataset, split?, rows?, …settings}``: texts of
            the user's own (or lists of turns), or rows of a dataset, the first one by
            default. ``offset`` and ``limit`` say which of the contexts to return.
        """
        from mistudio_ext.store.preview import MAX_CONTEXTS, open_previewer

        settings = {k: v for k, v in body.items() if k not in _FIELDS}
        spec = TokenizationSpec.from_dict(settings)
        source = self._tokenizers.asked_for(body)
        tools: Sequence[Any] | None = None
        if text_of(body, "dataset"):
            values, tools = self._real_rows(body, spec)
        else:
            values = _own_texts(body)
        spec = replace(spec, context=context_length(source, spec))
        previewer = open_previewer(self._tokenizers.preview_folder(source))
        offset, limit = _count(body, "offset", 0), _count(body, "limit", MAX_CONTEXTS)
        return previewer.preview(values, spec, offset, limit, tools)

    def _real_rows(
        self, body: Json, spec: TokenizationSpec
    ) -> tuple[Sequence[Any], Sequence[Any] | None]:
        """Return the cells of some rows of a dataset, and the tools of their chats."""
        from mistudio_ext.store.arrow import open_split
        from mistudio_ext.store.turns import TOOLS_NAME

        dataset = self._context.ready_dataset(str(body["dataset"]))
        rows = body.get("rows", [0])
        if not isinstance(rows, list) or not all(type(row) is int for row in rows):
            raise InvalidInputError(
                "rows must be a list of numbers.", code="bad_rows", field="rows"
            )
        column = spec.column or dataset.text_column
        if column is None:
            raise InvalidInputError(
                f"'{dataset.name}' is tokenised already.",
                code="no_text_column",
                field="dataset",
                hint="Its token ids are used as they are.",
            )
        split = choose_split(dataset, text_of(body, "split"))
        opened = open_split(self._context.settings.folder.dataset(dataset.id), split)
        opened.require(column)
        tools = spec.chat_template and TOOLS_NAME in opened.column_names and column != TOOLS_NAME
        found = opened.take(rows[:MAX_ROWS], [column, TOOLS_NAME] if tools else [column])
        return [row[column] for row in found], [row[TOOLS_NAME] for row in found] if tools else None


def _own_texts(body: Json) -> Sequence[Any]:
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, (str, list)) for text in texts):
        raise InvalidInputError(
            "texts must be a list of texts, or of lists of turns.",
            code="bad_texts",
            field="texts",
            hint="Or name a dataset and rows of it.",
        )
    return texts


def _count(body: Json, name: str, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or value < 0:
        raise InvalidInputError(
            f"{name} must be a whole number from 0.", code="bad_number", field=name
        )
    return value
