"""``ms.models``: find, estimate, fetch, convert and compare models from a cell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.client import model_tables
from mistudio_ext.client.backend import local_backend, server_backend
from mistudio_ext.client.extract import place_of
from mistudio_ext.client.jobs import wait_for
from mistudio_ext.client.model_calls import ModelCalls, calls_of
from mistudio_ext.client.notices import tell
from mistudio_ext.client.table import Table
from mistudio_ext.errors import NotFoundError

Json = dict[str, Any]


def _own_calls() -> ModelCalls:
    return calls_of(server_backend() or local_backend())


class Models:
    """The catalog's models and those of the Hub.

    Models are named by id or name. In a Jupyter server with miStudio the
    server answers; elsewhere this process does.

    Parameters
    ----------
    calls
        Gives who is asked, at every call.
    tell
        Told of a record whose request had parts without effect; see :mod:`.notices`.
    """

    def __init__(
        self,
        calls: Callable[[], ModelCalls] = _own_calls,
        tell: Callable[[Json], None] = tell,
    ) -> None:
        self._calls = calls
        self._tell = tell

    def list(self, **filters: Any) -> Table:
        """Return the catalog's models, newest first.

        Parameters
        ----------
        **filters
            ``q`` (words of the name), ``family``, ``format``, ``state``,
            ``min_params``, ``max_params``, ``min_bytes``, ``max_bytes``.
        """
        return model_tables.models(self._calls().models(filters))

    def search(self, words: str) -> Table:
        """Search the Hub's models, the most downloaded first.

        Raises
        ------
        HubError
            If the Hub cannot be reached.
        """
        return model_tables.results(self._calls().search(words))

    def estimate(
        self, model: str, *, batch_tokens: int | None = None, n_hooks: int | None = None
    ) -> Table:
        """Return what each format takes on disk, to load, and in an extraction.

        Parameters
        ----------
        model
            A model of the catalog, or a repository on the Hub, of which nothing
            but ``config.json`` is read.
        batch_tokens
            Tokens that go through the model at once; None for 4096.
        n_hooks
            Hook points that are stored; None for one.

        Returns
        -------
        Table
            A row for each format; ``answer`` has all of it, with
            ``recommendation`` and ``warning``.
        """
        asked = {"batch_tokens": batch_tokens, "n_hooks": n_hooks}
        batch = {name: value for name, value in asked.items() if value is not None}
        calls = self._calls()
        record = _found(calls, model)
        if record is None:
            return model_tables.formats(calls.describe(model, batch))
        return model_tables.formats(calls.estimate(record["id"], batch))

    def add(
        self,
        model: str | os.PathLike[str],
        *,
        format: str | None = None,
        revision: str | None = None,
        name: str | None = None,
        token: str | None = None,
        trust_remote_code: bool = False,
        wait: bool = True,
    ) -> Json:
        """Register a model, downloading what is not here.

        Parameters
        ----------
        model
            A folder, which is read in place, a repository on the Hub, or
            ``"sample-model"``.
        format
            ``"fp32"``, ``"bf16"``, ``"fp16"``, ``"q8"``, ``"q4"``, ``"q2"``; None
            for that of the files.
        revision
            Branch, tag or commit of the repository.
        name
            A name to find it by; None makes one.
        token
            Access token of the Hub for this download; it is kept nowhere.
        trust_remote_code
            Whether the repository's own code may run, where the administrator
            allows it; needs a full commit as ``revision``.
        wait
            Whether to wait until it is there.

        Returns
        -------
        dict
            The model's record.
        """
        body = {
            **_source(model),
            "format": format,
            "revision": revision,
            "name": name,
            "token": token,
            "trust_remote_code": trust_remote_code or None,
        }
        started = self._calls().add({k: v for k, v in body.items() if v is not None})
        self._tell(started["model"])
        return self._made(started, wait)

    def variants(self, model: str) -> Table:
        """Return all formats of a model's weights, the parent first, with what was measured."""
        calls = self._calls()
        return model_tables.variants(calls.variants(_one(calls, model)["id"]))

    def make_variant(
        self,
        model: str,
        format: str,
        *,
        fallback: bool | Iterable[str] = False,
        texts: Iterable[str] | None = None,
        device: str = "auto",
        name: str | None = None,
        wait: bool = True,
    ) -> Json:
        """Make a variant of a model, or return the one that is there.

        Parameters
        ----------
        model
            The model, or another variant of it.
        format
            ``"fp32"``, ``"bf16"``, ``"fp16"``, ``"q8"``, ``"q4"`` or ``"q2"``.
        fallback
            Formats to try in turn if it does not fit into memory; True means each
            smaller one, False none.
        texts
            Texts to measure the error on, 32 at most; None for the sample's.
        device
            ``"auto"``, ``"cpu"``, ``"cuda:0"``.
        name
            A name to find it by; None makes one.
        wait
            Whether to wait until it is measured.

        Returns
        -------
        dict
            The variant's record; ``measured`` has size, memory, speed and the
            relative error of the residual stream by layer.
        """
        calls = self._calls()
        body = {
            "format": format,
            "fallback": (fallback or None) if isinstance(fallback, bool) else [*fallback],
            "texts": None if texts is None else [*texts],
            "device": device,
            "name": name,
        }
        asked = {key: value for key, value in body.items() if value is not None}
        started = calls.make_variant(_one(calls, model)["id"], asked)
        self._tell(started["model"])
        return self._made(started, wait)

    def compare(self, first: str, second: str) -> Table:
        """Return two models side by side: all facts, and the settings that differ."""
        calls = self._calls()
        ids = [_one(calls, name)["id"] for name in (first, second)]
        return model_tables.comparison(calls.compare(*ids))

    def delete(self, model: str, *, variants: bool = False) -> Json:
        """Delete a model with the files that we put there for it.

        Parameters
        ----------
        model
            The model or variant.
        variants
            Whether the variants that share its files go along.

        Returns
        -------
        dict
            ``{deleted, freed_bytes}``.
        """
        calls = self._calls()
        return calls.delete(_one(calls, model)["id"], variants=variants)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()

    def _made(self, started: Json, wait: bool) -> Json:
        record: Json = started["model"]
        if not wait or started["job"] is None:
            return record
        calls = self._calls()
        wait_for(started["job"]["id"], calls.job)
        return _one(calls, record["id"])


def _source(model: str | os.PathLike[str]) -> Json:
    if model == sample.MODEL_NAME:
        return {"source": "sample"}
    place = place_of(model)
    if Path(place).is_absolute():
        return {"source": "path", "path": place}
    return {"source": "hub", "repo_id": place}


def _found(calls: ModelCalls, name: str) -> Json | None:
    rows = calls.models({})
    return next((row for row in rows if name in (row["id"], row["name"])), None)


def _one(calls: ModelCalls, name: str) -> Json:
    found = _found(calls, name)
    if found is None:
        raise NotFoundError(
            f"There is no model '{name}'.",
            code="no_such_model",
            field="model",
            hint="List the models to see what there is, or add it first.",
        )
    return found


#: What ``ms.models`` is.
models = Models()
