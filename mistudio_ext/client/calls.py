"""What a notebook asks about datasets: over REST, or of a studio in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mistudio_ext.client.backend import LocalBackend, ServerBackend, local_backend, server_backend
from mistudio_ext.errors import NotFoundError

Json = dict[str, Any]

#: Where things lie below the interface, in the order in which names are looked up.
NOUNS = ("extractions", "models", "datasets")


class Calls(Protocol):
    """What is asked of either."""

    def records(self, noun: str) -> list[Json]:
        """Return the records of one of :data:`NOUNS`, newest first."""

    def remove(self, noun: str, record_id: str) -> Json:
        """Delete one thing; return ``{"deleted", "freed_bytes"}``."""

    def add_dataset(self, body: Json) -> Json:
        """Register a dataset and return its record."""

    def dataset(self, dataset_id: str) -> Json:
        """Return a dataset's record."""

    def samples(self, dataset_id: str, **filters: Any) -> Json:
        """Return a page of rows."""

    def statistics(self, dataset_id: str, tokenization: str | None) -> Json:
        """Return statistics by words, or by tokens."""

    def tokenize(self, dataset_id: str, body: Json) -> Json:
        """Start a tokenization and return its record."""

    def tokenizations(self, dataset_id: str) -> list[Json]:
        """Return the tokenizations of a dataset, newest first."""

    def remove_tokenization(self, dataset_id: str, tokenization_id: str) -> Json:
        """Delete a tokenization; return ``{"deleted", "freed_bytes"}``."""

    def export(self, dataset_id: str, tokenization_id: str, padding: str) -> Json:
        """Start an export; return ``{"job", "path"}``."""

    def near_duplicates(self, dataset_id: str) -> Json:
        """Return what was found, or how far the search is."""

    def find_near_duplicates(self, dataset_id: str, threshold: float) -> Json:
        """Start to look for near duplicates; return the job."""

    def job(self, job_id: str) -> Json:
        """Return a job's record."""


def calls() -> Calls:
    """Return the server extension of this kernel's server; else a studio of this process."""
    server = server_backend()
    return ServerCalls(server) if server is not None else LocalCalls(local_backend())


class ServerCalls:
    """The server extension, over REST."""

    def __init__(self, backend: ServerBackend) -> None:
        self._client = backend.client
        self.job = backend.job

    def records(self, noun: str) -> list[Json]:
        """Return the records of one of :data:`NOUNS`, newest first."""
        found: list[Json] = self._client.get(noun)[noun]
        return found

    def remove(self, noun: str, record_id: str) -> Json:
        """Delete one thing; return ``{"deleted", "freed_bytes"}``."""
        return self._client.delete(f"{noun}/{record_id}")

    def add_dataset(self, body: Json) -> Json:
        """Register a dataset and return its record."""
        record: Json = self._client.post("datasets", body)["dataset"]
        return record

    def dataset(self, dataset_id: str) -> Json:
        """Return a dataset's record."""
        return self._client.get(f"datasets/{dataset_id}")

    def samples(self, dataset_id: str, **filters: Any) -> Json:
        """Return a page of rows."""
        asked = {"q" if name == "query" else name: value for name, value in filters.items()}
        for name in ("columns", "token_ids"):
            if asked.get(name) is not None:
                asked[name] = ",".join(map(str, asked[name]))
        return self._client.get(f"datasets/{dataset_id}/samples", **asked)

    def statistics(self, dataset_id: str, tokenization: str | None) -> Json:
        """Return statistics by words, or by tokens."""
        return self._client.get(f"datasets/{dataset_id}/statistics", tokenization=tokenization)

    def tokenize(self, dataset_id: str, body: Json) -> Json:
        """Start a tokenization and return its record."""
        found: Json = self._client.post(f"datasets/{dataset_id}/tokenizations", body)[
            "tokenization"
        ]
        return found

    def tokenizations(self, dataset_id: str) -> list[Json]:
        """Return the tokenizations of a dataset, newest first."""
        found: list[Json] = self._client.get(f"datasets/{dataset_id}/tokenizations")[
            "tokenizations"
        ]
        return found

    def remove_tokenization(self, dataset_id: str, tokenization_id: str) -> Json:
        """Delete a tokenization; return ``{"deleted", "freed_bytes"}``."""
        return self._client.delete(f"datasets/{dataset_id}/tokenizations/{tokenization_id}")

    def export(self, dataset_id: str, tokenization_id: str, padding: str) -> Json:
        """Start an export; return ``{"job", "path"}``."""
        path = f"datasets/{dataset_id}/tokenizations/{tokenization_id}/export"
        return self._client.post(path, {"padding": padding})

    def near_duplicates(self, dataset_id: str) -> Json:
        """Return what was found, or how far the search is."""
        return self._client.get(f"datasets/{dataset_id}/near-duplicates")

    def find_near_duplicates(self, dataset_id: str, threshold: float) -> Json:
        """Start to look for near duplicates; return the job."""
        path, body = f"datasets/{dataset_id}/near-duplicates", {"threshold": threshold}
        job: Json = self._client.post(path, body)["job"]
        return job


class LocalCalls:
    """A studio in this process; its jobs are worker processes all the same."""

    def __init__(self, backend: LocalBackend) -> None:
        self._studio = backend.studio
        self.job = backend.job

    def records(self, noun: str) -> list[Json]:
        """Return the records of one of :data:`NOUNS`, newest first."""
        found: list[Json] = getattr(self._studio, noun).list()
        return found

    def remove(self, noun: str, record_id: str) -> Json:
        """Delete one thing; return ``{"deleted", "freed_bytes"}``."""
        gone: Json = getattr(self._studio, noun).delete(record_id)
        return gone

    def add_dataset(self, body: Json) -> Json:
        """Register a dataset and return its record."""
        return self._studio.datasets.create(body)[0]

    def dataset(self, dataset_id: str) -> Json:
        """Return a dataset's record."""
        return self._studio.datasets.get(dataset_id)

    def samples(self, dataset_id: str, **filters: Any) -> Json:
        """Return a page of rows."""
        given = {name: value for name, value in filters.items() if value is not None}
        return self._studio.dataset_views.samples(dataset_id, **given)

    def statistics(self, dataset_id: str, tokenization: str | None) -> Json:
        """Return statistics by words, or by tokens."""
        return self._studio.dataset_views.statistics(dataset_id, tokenization)

    def tokenize(self, dataset_id: str, body: Json) -> Json:
        """Start a tokenization and return its record."""
        return self._studio.tokenizations.create(dataset_id, body)[0]

    def tokenizations(self, dataset_id: str) -> list[Json]:
        """Return the tokenizations of a dataset, newest first."""
        return self._studio.tokenizations.list(dataset_id)

    def remove_tokenization(self, dataset_id: str, tokenization_id: str) -> Json:
        """Delete a tokenization; return ``{"deleted", "freed_bytes"}``."""
        return self._studio.tokenizations.delete(dataset_id, tokenization_id)

    def export(self, dataset_id: str, tokenization_id: str, padding: str) -> Json:
        """Start an export; return ``{"job", "path"}``."""
        return self._studio.exports.start(dataset_id, tokenization_id, {"padding": padding})

    def near_duplicates(self, dataset_id: str) -> Json:
        """Return what was found, or how far the search is."""
        return self._studio.near_duplicates.get(dataset_id)

    def find_near_duplicates(self, dataset_id: str, threshold: float) -> Json:
        """Start to look for near duplicates; return the job."""
        job: Json = self._studio.near_duplicates.start(dataset_id, {"threshold": threshold})["job"]
        return job


def find(asked: Calls, name: str, nouns: Sequence[str]) -> tuple[str, Json]:
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
