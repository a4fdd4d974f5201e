"""What the notebook and the command line ask about models, of a server or of a studio here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mistudio_ext.client.backend import LocalBackend, ServerBackend
from mistudio_ext.client.rest import RestClient

if TYPE_CHECKING:
    from mistudio_ext.studio import Studio

Json = dict[str, Any]


class ModelCalls(Protocol):
    """Questions and wishes about models; answers are those of REST."""

    def models(self, filters: Json) -> list[Json]:
        """Return the models that pass every filter, newest first."""

    def add(self, body: Json) -> Json:
        """Register a model: ``{model, job}``."""

    def search(self, words: str) -> list[Json]:
        """Return the Hub's models with these words, the most downloaded first."""

    def describe(self, repository: str, batch: Json) -> Json:
        """Return one repository of the Hub with what each format takes."""

    def estimate(self, model_id: str, batch: Json) -> Json:
        """Return what each format of a model takes."""

    def variants(self, model_id: str) -> list[Json]:
        """Return all formats of a model's weights, the parent first."""

    def make_variant(self, model_id: str, body: Json) -> Json:
        """Make a variant: ``{model, job}``."""

    def compare(self, first: str, second: str) -> Json:
        """Return two models side by side."""

    def delete(self, model_id: str, *, variants: bool) -> Json:
        """Delete a model, with ``variants`` all that share its files."""

    def job(self, job_id: str) -> Json:
        """Return one job."""


def calls_of(backend: ServerBackend | LocalBackend) -> ModelCalls:
    """Return the calls to whoever keeps the catalog."""
    if isinstance(backend, ServerBackend):
        return ServerModels(backend.client)
    return StudioModels(backend.studio)


class ServerModels:
    """The server extension, over REST.

    Parameters
    ----------
    client
        Its REST client.
    """

    def __init__(self, client: RestClient) -> None:
        self._client = client

    def models(self, filters: Json) -> list[Json]:
        """Return the models that pass every filter, newest first."""
        found: list[Json] = self._client.get("models", **filters)["models"]
        return found

    def add(self, body: Json) -> Json:
        """Register a model: ``{model, job}``."""
        return self._client.post("models", body)

    def search(self, words: str) -> list[Json]:
        """Return the Hub's models with these words, the most downloaded first."""
        found: list[Json] = self._client.get("hub/models", q=words)["results"]
        return found

    def describe(self, repository: str, batch: Json) -> Json:
        """Return one repository of the Hub with what each format takes."""
        return self._client.get(f"hub/models/{repository}", **batch)

    def estimate(self, model_id: str, batch: Json) -> Json:
        """Return what each format of a model takes."""
        return self._client.get(f"models/{model_id}/estimate", **batch)

    def variants(self, model_id: str) -> list[Json]:
        """Return all formats of a model's weights, the parent first."""
        found: list[Json] = self._client.get(f"models/{model_id}/variants")["variants"]
        return found

    def make_variant(self, model_id: str, body: Json) -> Json:
        """Make a variant: ``{model, job}``."""
        return self._client.post(f"models/{model_id}/variants", body)

    def compare(self, first: str, second: str) -> Json:
        """Return two models side by side."""
        return self._client.get("models/compare", ids=f"{first},{second}")

    def delete(self, model_id: str, *, variants: bool) -> Json:
        """Delete a model, with ``variants`` all that share its files."""
        return self._client.delete(f"models/{model_id}", variants="true" if variants else None)

    def job(self, job_id: str) -> Json:
        """Return one job."""
        return self._client.get(f"jobs/{job_id}")


class StudioModels:
    """A studio in this process.

    Parameters
    ----------
    studio
        The studio.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def models(self, filters: Json) -> list[Json]:
        """Return the models that pass every filter, newest first."""
        return self._studio.models.list(**filters)

    def add(self, body: Json) -> Json:
        """Register a model: ``{model, job}``."""
        model, job = self._studio.models.create(body)
        return {"model": model, "job": job}

    def search(self, words: str) -> list[Json]:
        """Return the Hub's models with these words, the most downloaded first."""
        found: list[Json] = self._studio.hub.search("models", words)["results"]
        return found

    def describe(self, repository: str, batch: Json) -> Json:
        """Return one repository of the Hub with what each format takes."""
        return self._studio.hub.model(repository, **batch)

    def estimate(self, model_id: str, batch: Json) -> Json:
        """Return what each format of a model takes."""
        return self._studio.model_facts.estimate(
            model_id, batch.get("batch_tokens"), batch.get("n_hooks")
        )

    def variants(self, model_id: str) -> list[Json]:
        """Return all formats of a model's weights, the parent first."""
        return self._studio.variants.list(model_id)

    def make_variant(self, model_id: str, body: Json) -> Json:
        """Make a variant: ``{model, job}``."""
        model, job = self._studio.variants.create(model_id, body)
        return {"model": model, "job": job}

    def compare(self, first: str, second: str) -> Json:
        """Return two models side by side."""
        return self._studio.model_facts.compare([first, second])

    def delete(self, model_id: str, *, variants: bool) -> Json:
        """Delete a model, with ``variants`` all that share its files."""
        return self._studio.model_removal.delete(model_id, variants=variants)

    def job(self, job_id: str) -> Json:
        """Return one job."""
        return self._studio.jobs.view(self._studio.jobs.get(job_id))
