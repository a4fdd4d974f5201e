"""``ms.datasets``, ``ms.dataset``, ``ms.add_dataset`` and ``ms.delete``."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.client.calls import NOUNS, Calls, calls
from mistudio_ext.client.extract import place_of
from mistudio_ext.client.jobs import wait_for
from mistudio_ext.errors import ConflictError, NotFoundError

Json = dict[str, Any]


class Page(list[Json]):
    """Rows of a dataset.

    Each is ``{"index", "split", "text", "n_tokens", "highlights", "turns"?, "columns"?}``;
    ``highlights`` are ``[start, end]`` in code points of ``text``.

    Attributes
    ----------
    total
        Rows that match, on this page or not.
    """

    def __init__(self, answer: Json) -> None:
        super().__init__(answer["samples"])
        self.total: int = answer["total"]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{row['split']}</td><td>{row['index']:,}</td><td>{_marked(row)}</td></tr>"
            for row in self
        )
        return f"<p>{len(self):,} of {self.total:,} rows</p><table>{rows}</table>"


class Tokenization:
    """A tokenization of a dataset, finished or not."""

    def __init__(self, dataset: Dataset, record: Json, asked: Calls) -> None:
        self.dataset = dataset
        self.id: str = record["id"]
        self._calls = asked

    @property
    def record(self) -> Json:
        """What the catalog has of it: state, split, settings, counts of rows and tokens."""
        for record in self._calls.tokenizations(self.dataset.id):
            if record["id"] == self.id:
                return record
        raise NotFoundError(f"The tokenization '{self.id}' was deleted.", code="deleted")

    @property
    def state(self) -> str:
        """``pending``, ``ready`` or ``failed``."""
        return str(self.record["state"])

    def wait(self, timeout: float | None = None) -> Tokenization:
        """Wait until it is made, with a progress bar; returns itself.

        Raises
        ------
        MiStudioError
            The job's own error, with code and hint.
        WaitTimeoutError
            Also a TimeoutError: not done yet.
        """
        _wait(self.record, self._calls, timeout)
        return self

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


class Dataset:
    """A dataset of the catalog, imported or on its way."""

    def __init__(self, record: Json, asked: Calls) -> None:
        self.id: str = record["id"]
        self._calls = asked

    @property
    def record(self) -> Json:
        """What the catalog has of it: name, state, source, columns, splits, rows, bytes."""
        return self._calls.dataset(self.id)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.record["name"])

    @property
    def state(self) -> str:
        """``pending``, ``ready`` or ``failed``."""
        return str(self.record["state"])

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return {split["name"]: split["n_rows"] for split in self.record["splits"]}

    def wait(self, timeout: float | None = None) -> Dataset:
        """Wait until it is imported, with a progress bar; returns itself.

        Raises
        ------
        MiStudioError
            The job's own error, with code and hint.
        WaitTimeoutError
            Also a TimeoutError: not done yet.
        """
        _wait(self.record, self._calls, timeout)
        return self

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
            body["model"] = _find(self._calls, model, ("models",))[1]["id"]
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


def datasets() -> list[Dataset]:
    """Return all datasets, newest first."""
    asked = calls()
    return [Dataset(record, asked) for record in asked.records("datasets")]


def dataset(name: str) -> Dataset:
    """Return the dataset with this name or id.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    asked = calls()
    return Dataset(_find(asked, name, ("datasets",))[1], asked)


def add_dataset(
    source: str | os.PathLike[str],
    *,
    name: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    splits: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    text_column: str | None = None,
    max_rows: int | None = None,
    token: str | None = None,
    **options: Any,
) -> Dataset:
    """Import a dataset; returns at once, or what is there already.

    Parameters
    ----------
    source
        A file or folder that the server can read, a repository on the Hugging Face Hub, or
        ``"sample-stories"``.
    name
        A name for it; None makes one.
    config, revision
        Of a repository.
    splits, columns, text_column, max_rows
        Only some splits, columns or first rows; the column with the text.
    token
        For a gated repository; kept in memory only. None takes that of the standard place.
    **options
        How a file is read: ``format``, ``encoding``, ``delimiter``, ``header``, and
        ``bad_rows="skip"``.

    Raises
    ------
    InvalidInputError, NotFoundError, AccessDeniedError
        What is wrong with the request, in ``field``.
    """
    body: Json = {
        **_source(source),
        "name": name,
        "config": config,
        "revision": revision,
        "splits": splits and list(splits),
        "columns": columns and list(columns),
        "text_column": text_column,
        "max_rows": max_rows,
        "token": token,
        "options": options or None,
    }
    asked = calls()
    given = {key: value for key, value in body.items() if value is not None}
    return Dataset(asked.add_dataset(given), asked)


def delete(*names: str) -> int:
    """Delete extractions, models or datasets by name or id, and return the bytes that came free.

    All are looked up before the first is deleted.

    Raises
    ------
    NotFoundError
        If a name is unknown: nothing was deleted.
    ConflictError
        If a running job needs one of them; those before it are gone.
    """
    asked = calls()
    found = [_find(asked, name, NOUNS) for name in names]
    return sum(int(asked.remove(noun, record["id"])["freed_bytes"]) for noun, record in found)


def _source(source: str | os.PathLike[str]) -> Json:
    if source == sample.DATASET_NAME:
        return {"source": "sample"}
    place = place_of(source)
    if Path(place).is_absolute():
        return {"source": "path", "path": place}
    return {"source": "hub", "repo_id": place}


def _find(asked: Calls, name: str, nouns: Sequence[str]) -> tuple[str, Json]:
    """Return noun and record of what has this name or id."""
    for noun in nouns:
        for record in asked.records(noun):
            if name in (record["id"], record["name"]):
                return noun, record
    raise NotFoundError(
        f"There is nothing called '{name}' among {', '.join(nouns)}.",
        code="no_such_id",
        field="name",
        hint="ms.datasets() and ms.list() show what there is; ms.add_dataset imports a dataset.",
    )


def _wait(record: Json, asked: Calls, timeout: float | None) -> None:
    if record["state"] == "ready":
        return
    if not record["job_id"]:
        raise ConflictError(
            f"Nothing works on it: it is {record['state']}.",
            code="no_job",
            hint="Ask for it again.",
        )
    wait_for(record["job_id"], asked.job, timeout)


def _marked(row: Json) -> str:
    """Return a row's text as HTML with its matches marked."""
    text, at, parts = row["text"] or "", 0, []
    for start, end in row["highlights"]:
        parts += [html.escape(text[at:start]), f"<mark>{html.escape(text[start:end])}</mark>"]
        at = end
    return "".join([*parts, html.escape(text[at:])])
