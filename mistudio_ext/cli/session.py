"""A studio for the time of one command."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mistudio_ext.catalog import TokenizationRecord
from mistudio_ext.errors import NotFoundError
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio

#: Seconds that a worker waits for the next job of the same command.
WARM_S = 5.0


@contextlib.contextmanager
def studio(arguments: argparse.Namespace) -> Iterator[Studio]:
    """Open the studio over the data folder that the arguments name."""
    # Its jobs share a worker one after the other; that one ends with the command.
    settings = from_config_files(data_dir=arguments.data_dir)
    settings = replace(settings, warm_worker_idle_s=min(settings.warm_worker_idle_s, WARM_S))
    opened = Studio.open(settings)
    try:
        yield opened
    finally:
        opened.close()


def services(opened: Studio) -> dict[str, Any]:
    """Return noun -> service, in the order in which names are looked up."""
    return {
        "extraction": opened.extractions,
        "model": opened.models,
        "dataset": opened.datasets,
        "tokenization": Tokenizations(opened),
    }


class Tokenizations:
    """All tokenizations, whatever their dataset; they are known by their ids."""

    def __init__(self, opened: Studio) -> None:
        self._opened = opened

    def list(self) -> list[dict[str, Any]]:
        """Return all of them, each under the name of its dataset and split."""
        return [
            {**record, "name": f"{dataset['name']} / {record['split']}"}
            for dataset in self._opened.datasets.list()
            for record in self._opened.tokenizations.list(dataset["id"])
        ]

    def record(self, tokenization_id: str) -> TokenizationRecord:
        """Return one; NotFoundError if there is none."""
        return self._opened.catalog.tokenizations.get(tokenization_id)

    def get(self, tokenization_id: str) -> dict[str, Any]:
        """Return one as the interface gives it."""
        record = self.record(tokenization_id)
        return self._opened.tokenizations.get(record.dataset_id, record.id)

    def delete(self, tokenization_id: str) -> dict[str, Any]:
        """Delete one with its files."""
        record = self.record(tokenization_id)
        return self._opened.tokenizations.delete(record.dataset_id, record.id)


def find(opened: Studio, name: str) -> tuple[str, Any]:
    """Return noun and record of what has this id or name.

    Raises
    ------
    NotFoundError
        If nothing has.
    """
    for noun, service in services(opened).items():
        with contextlib.suppress(NotFoundError):
            return noun, service.record(name)
    raise NotFoundError(
        f"There is nothing called '{name}'.",
        code="no_such_id",
        field="id",
        hint="'jupyter mistudio list' shows what there is.",
    )
