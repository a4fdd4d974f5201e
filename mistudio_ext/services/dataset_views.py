"""What is shown of a dataset: pages of samples, statistics, what a file is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mistudio_ext.catalog import TokenizationRecord
from mistudio_ext.errors import ConflictError, InvalidInputError, MiStudioError
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.datasets import choose_split
from mistudio_ext.services.file_options import file_options
from mistudio_ext.services.indexes import IndexService
from mistudio_ext.services.tokenizers import Tokenizers

if TYPE_CHECKING:
    from mistudio_ext.store.marks import Tokenize


#: How the matches of a page are counted.
COUNTS = ("exact", "quick")


class DatasetViews:
    """Reads datasets for the panels."""

    def __init__(self, context: Context, tokenizers: Tokenizers, indexes: IndexService) -> None:
        self._context = context
        self._indexes = indexes
        self._tokenizers = tokenizers

    def samples(
        self,
        dataset_id: str,
        *,
        split: str | None = None,
        offset: int = 0,
        limit: int = 50,
        query: str | None = None,
        tokens: str | None = None,
        token_ids: Sequence[int] | None = None,
        min_tokens: int | None = None,
        max_tokens: int | None = None,
        tokenization: str | None = None,
        columns: Sequence[str] = (),
        column: str | None = None,
        where: Sequence[str] = (),
        count: str = "exact",
    ) -> Json:
        """Return a page of rows as the panel shows them.

        Parameters
        ----------
        query
            Words to look for.
        tokens, token_ids
            Tokens to look for, as a text that the tokenization's tokenizer cuts, or as
            ids; they need ``tokenization``.
        column
            Column to show and to search; None for the dataset's own text.
        where
            ``column:value``: only rows whose cells have these values.
        count
            ``exact``, or ``quick``: the page does not wait for its matches to be counted.
        """
        from mistudio_ext.store.samples import page

        if count not in COUNTS:
            raise InvalidInputError(
                f"Matches cannot be counted '{count}'.",
                code="bad_count",
                field="count",
                hint=f"Choose one of {', '.join(COUNTS)}.",
            )
        record = self._context.ready_dataset(dataset_id)
        if query:
            self._indexes.renew(record)
        own, folder, tokenize = record.text_column, None, None
        wanted = tokens is not None or token_ids is not None
        if tokenization:
            tokenized = self._tokenization(dataset_id, tokenization)
            split = split or tokenized.split
            if split != tokenized.split:
                raise _other_dataset()
            folder = self._context.settings.folder.tokenization(tokenized.id)
            if wanted:
                if own is not None:
                    own = tokenized.settings.get("column") or own
                    tokenize = self._tokenize(tokenized)
                token_ids = self._ids(tokens, token_ids, tokenize)
        elif wanted:
            raise InvalidInputError(
                "Tokens are looked for in a tokenization.",
                code="not_tokenized",
                field="tokenization",
                hint="Tokenise the dataset and choose that tokenization.",
            )
        return page(
            self._context.settings.folder.dataset(dataset_id),
            split=choose_split(record, split),
            text_column=column or own,
            offset=offset,
            limit=limit,
            q=query,
            min_tokens=min_tokens,
            max_tokens=max_tokens,
            tokenization=folder,
            columns=columns,
            token_ids=token_ids,
            tokenize=tokenize,
            where=[_condition(text) for text in where],
            quick=count == "quick",
        )

    def _tokenize(self, record: TokenizationRecord) -> Tokenize | None:
        """Return what cuts a text as this tokenization does; None where that is not known."""
        from mistudio_ext.store.preview import open_previewer

        try:
            folder = self._tokenizers.kept(record)
            return None if folder is None else open_previewer(folder).tokenize
        except MiStudioError:
            return None  # Its model is gone, or is written in Python: ids are found, not marked.

    @staticmethod
    def _ids(
        tokens: str | None, token_ids: Sequence[int] | None, tokenize: Tokenize | None
    ) -> list[int]:
        if token_ids is None and tokens is not None:
            if tokenize is None:
                raise InvalidInputError(
                    "The tokenizer cannot be asked for the tokens of a text.",
                    code="no_preview",
                    field="tokens",
                    hint="Look for token_ids.",
                )
            token_ids = tokenize(tokens)[0]
        if not token_ids:
            raise InvalidInputError(
                "There is no token to look for.", code="bad_query", field="token_ids"
            )
        return list(token_ids)

    def _tokenization(self, dataset_id: str, tokenization_id: str) -> TokenizationRecord:
        """Return a tokenization of this dataset that can be read."""
        found = self._context.catalog.tokenizations.get(tokenization_id)
        if found.dataset_id != dataset_id:
            raise _other_dataset()
        if found.state != "ready":
            raise ConflictError(
                f"The tokenization is not ready: it is {found.state}.",
                code="tokenization_not_ready",
                field="tokenization",
                hint="Wait for its job to end, or look at the job's error.",
            )
        return found

    def statistics(self, dataset_id: str, tokenization: str | None = None) -> Json:
        """Return the statistics of a dataset by words, or of a tokenization by tokens."""
        from mistudio_ext.store import statistics

        record = self._context.ready_dataset(dataset_id)
        folder = self._context.settings.folder
        if tokenization is None:
            self._indexes.renew(record)
            return statistics.dataset_statistics(folder.dataset(dataset_id), record.text_column)
        found = self._tokenization(dataset_id, tokenization)
        return statistics.tokenization_statistics(folder.tokenization(found.id))

    def export_statistics(
        self, dataset_id: str, tokenization: str | None, form: str
    ) -> tuple[str, str, str]:
        """Return ``(file name, media type, content)`` of the statistics as json or csv."""
        from mistudio_ext.store.statistics import as_csv

        if form not in ("json", "csv"):
            raise InvalidInputError(
                f"Statistics cannot be exported as '{form}'.",
                code="bad_format",
                field="format",
                hint="Choose json or csv.",
            )
        found = self.statistics(dataset_id, tokenization)
        name = f"statistics-{tokenization or dataset_id}.{form}"
        if form == "csv":
            return name, "text/csv; charset=utf-8", as_csv(found)
        return name, "application/json", json.dumps(found, indent=1)

    def detect(self, path: Any, options: Any = None) -> Json:
        """Return what a file is: format, encoding, delimiter, columns, text column, a preview.

        Parameters
        ----------
        options
            What a person has corrected: ``encoding``, ``delimiter``, ``header``.
        """
        from mistudio_ext.store.detect import detect

        file = self._context.local_path(path)
        if not file.is_file():
            raise InvalidInputError(
                f"'{path}' is a folder.",
                code="not_a_file",
                field="path",
                hint="Choose one file in it; a folder can be added as it is.",
            )
        return detect(file, given=file_options(options))


def _condition(text: str) -> tuple[str, str]:
    """Return column and value of ``column:value``."""
    column, colon, value = text.partition(":")
    if not colon or not column:
        raise InvalidInputError(
            f"'{text}' is no condition.",
            code="bad_filter",
            field="where",
            hint="Write column:value, for example language:en.",
        )
    return column, value


def _other_dataset() -> InvalidInputError:
    return InvalidInputError(
        "This tokenization is of another dataset or split.",
        code="other_dataset",
        field="tokenization",
    )
