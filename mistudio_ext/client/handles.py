"""Handles of datasets and of their tokenizations."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mistudio_ext.client.calls import Calls, find
from mistudio_ext.client.jobs import wait_for
from mistudio_ext.client.pages import Page
from mistudio_ext.errors import ConflictError, NotFoundError

Json = dict[str, Any]


class _Made(ABC):
    """What a job makes and the catalog keeps."""

    def __init__(self, record: Json, asked: Calls) -> None:
        self.id: str = record["id"]
        self._calls = asked

    @property
    @abstractmethod
    def record(self) -> Json:
        """What the catalog has of it."""

    @property
    def state(self) -> str:
        """``pending``, ``ready`` or ``failed``."""
        return str(self.record["state"])

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it is made, with a progress bar; returns itself.

        Raises
        ------
        MiStudioError
            The job's own error, with code and hint.
        WaitTimeoutError
            Also a TimeoutError: not done yet.
        """
        record = self.record
        if record["state"] == "ready":
            return self
        if not record["job_id"]:
            raise ConflictError(
                f"Nothing works on it: it is {record['state']}.",
                code="no_job",
                hint="Ask for it again.",
            )
        wait_for(record["job_id"], self._calls.job, timeout)
        return self


class Tokenization(_Made):
    """A tokenization of a dataset, finished or not."""

    def __init__(self, dataset: Dataset, record: Json, asked: Calls) -> None:
        super().__init__(record, asked)
        self.dataset = dataset

    @property
    def record(self) -> Json:
        """What the catalog has of it: state, split, settings, counts of rows and tokens."""
        for record in self._calls.tokenizations(self.dataset.id):
            if record["id"] == self.id:
                return record
        raise NotFoundError(f"The tokenization '{self.id}' was deleted.", code="deleted")

    def statistics(self) -> Json:
        """Return its statistics by tokens: lengths, vocabulary, frequent, rare and special ones."""
        return self._calls.statistics(self.dataset.id, self.id)

    def search(
        self, tokens: str | Sequence[int], *, limit: int = 50, offset: int = 0, **filters: Any
    ) -> Page:
        """Return rows in which a sequence of tokens stands.

        Parameters
        ----------
        tokens
            Token ids, or a text that its tokenizer cuts (mind the blank before a word).
        **filters
            As for :meth:`Dataset.search`.
        """
        what = {"tokens": tokens} if isinstance(tokens, str) else {"token_ids": list(tokens)}
        return self.dataset.search(limit=limit, offset=offset, tokenization=self, **what, **filters)

    def export(self, padding: str = "max_length", timeout: float | None = None) -> Path:
        """Write it as a folder for ``datasets.load_from_disk`` and return that.

        Parameters
        ----------
        padding
            ``max_length`` or ``none``.
        """
        started = self._calls.export(self.dataset.id, self.id, padding)
        wait_for(started["job"]["id"], self._calls.job, timeout)
        return Path(started["path"])

    def delete(self) -> int:
        """Delete it and return the bytes that came free; ConflictError while a job needs it."""
        gone = self._calls.remove_tokenization(self.dataset.id, self.id)
        return int(gone["freed_bytes"])

    def __repr__(self) -> str:
        record = self.record
        tokens = f", {record['n_tokens']:,} tokens" if record["n_tokens"] else ""
        return f"<Tokenization {self.id} of {self.dataset.name!r}, {record['state']}{tokens}>"


class Dataset(_Made):
    """A dataset of the catalog, imported or on its way."""

    @property
    def record(self) -> Json:
        """What the catalog has of it: name, state, source, columns, splits, rows, bytes."""
        return self._calls.dataset(self.id)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.record["name"])

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return {split["name"]: split["n_rows"] for split in self.record["splits"]}

    def search(
        self,
        query: str | None = None,
        *,
        split: str | None = None,
        limit: int = 50,
        offset: int = 0,
        columns: Iterable[str] = (),
        tokenization: Tokenization | str | None = None,
        tokens: str | None = None,
        token_ids: Sequence[int] | None = None,
        min_tokens: int | None = None,
        max_tokens: int | None = None,
        column: str | None = None,
        where: Mapping[str, object] | None = None,
    ) -> Page:
        """Return rows that match; without a filter simply rows.

        Parameters
        ----------
        query
            Words, ``"phrases"``, ``begin*``, AND, OR, NOT and parentheses.
        split
            One split; None for the dataset's first.
        limit, offset
            Which of the rows, at most 1,000.
        columns
            Further columns to return.
        tokenization
            Where token counts come from, for ``min_tokens``, ``max_tokens``, ``tokens`` (a text)
            and ``token_ids``.
        column
            Column to show and search; None for the dataset's own text.
        where
            Only rows whose cells have these values, by column.
        """
        if isinstance(tokenization, Tokenization):
            tokenization = tokenization.id
        answer = self._calls.samples(
            self.id,
            query=query,
            split=split,
            limit=limit,
            offset=offset,
            columns=list(columns),
            tokenization=tokenization,
            tokens=tokens,
            token_ids=token_ids,
            min_tokens=min_tokens,
            max_tokens=max_tokens,
            column=column,
            where=[f"{name}:{value}" for name, value in (where or {}).items()],
        )
        return Page(answer)

    def statistics(self) -> Json:
        """Return its statistics by words; a tokenization has its own by tokens."""
        return self._calls.statistics(self.id, None)

    def near_duplicates(self, threshold: float = 0.8, timeout: float | None = None) -> Json:
        """Look for rows that are almost the same, and return what was found.

        Parameters
        ----------
        threshold
            Least Jaccard similarity of the rows' runs of three words, from 0.5 to below 1.
        """
        job = self._calls.find_near_duplicates(self.id, threshold)
        wait_for(job["id"], self._calls.job, timeout)
        return self._calls.near_duplicates(self.id)

    def tokenize(
        self,
        model: str | None = None,
        *,
        tokenizer: str | os.PathLike[str] | None = None,
        split: str | None = None,
        **settings: Any,
    ) -> Tokenization:
        """Start to tokenise a split; returns at once, or what is there already.

        Parameters
        ----------
        model
            Id or name of a registered model, for its tokenizer.
        tokenizer
            Folder of a tokenizer instead.
        split
            None for the dataset's first.
        **settings
            ``context``, ``mode``, ``overlap``, ``bos``, ``chat_template``, ``min_tokens`` and
            others, see :class:`mistudio_ext.spec.TokenizationSpec`.
        """
        body = {"split": split, **settings}
        if model is not None:
            body["model"] = find(self._calls, model, ("models",))[1]["id"]
        if tokenizer is not None:
            body["tokenizer"] = str(Path(tokenizer).expanduser().absolute())
        given = {name: value for name, value in body.items() if value is not None}
        return Tokenization(self, self._calls.tokenize(self.id, given), self._calls)

    def tokenizations(self) -> list[Tokenization]:
        """Return its tokenizations, newest first."""
        records = self._calls.tokenizations(self.id)
        return [Tokenization(self, record, self._calls) for record in records]

    def __repr__(self) -> str:
        record = self.record
        rows = f", {record['n_rows']:,} rows" if record["n_rows"] else ""
        return f"<Dataset {record['name']!r} ({self.id}), {record['state']}{rows}>"
