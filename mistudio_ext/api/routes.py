"""All routes on one screen."""

from __future__ import annotations

from typing import Any

from mistudio_ext.api import (
    activations,
    datasets,
    events,
    handlers,
    hub,
    jobs,
    models,
    nouns,
    spec,
    templates,
    tokenizations,
    uploads,
)

PREFIX = r"mistudio/api/v1"
_ID = r"([A-Za-z0-9_.-]+)"

Route = tuple[str, type[Any], dict[str, Any]]


def routes() -> list[Route]:
    """Return ``(pattern below the base URL, handler, arguments)`` of every route."""
    table: list[tuple[Any, ...]] = [
        ("system", nouns.SystemHandler),
        ("system/history", nouns.HistoryHandler),
        ("system/storage", nouns.StorageHandler),
        ("system/leftovers", nouns.LeftoversHandler),
        ("system/leftovers/clean", nouns.CleanHandler),
        ("spec.yaml", spec.SpecHandler),
        ("events", events.EventsHandler),
        ("datasets", datasets.DatasetsHandler, {"noun": "datasets"}),
        ("datasets/delete", datasets.DatasetsDeleteHandler),
        ("datasets/detect", datasets.DetectHandler),
        (f"datasets/{_ID}", nouns.ItemHandler, {"noun": "datasets"}),
        (f"datasets/{_ID}/samples", datasets.SamplesHandler),
        (f"datasets/{_ID}/statistics", datasets.StatisticsHandler),
        (f"datasets/{_ID}/statistics/export", datasets.StatisticsExportHandler),
        (f"datasets/{_ID}/near-duplicates", datasets.NearDuplicatesHandler),
        (f"datasets/{_ID}/tokenizations", tokenizations.TokenizationsHandler),
        (f"datasets/{_ID}/tokenizations/{_ID}", tokenizations.TokenizationHandler),
        (f"datasets/{_ID}/tokenizations/{_ID}/export", tokenizations.TokenizationExportHandler),
        ("tokenize-preview", tokenizations.PreviewHandler),
        ("tokenization-presets", tokenizations.PresetsHandler),
        (f"tokenization-presets/{_ID}", tokenizations.PresetHandler),
        ("hub/datasets", hub.HubSearchHandler, {"kind": "datasets"}),
        ("hub/models", hub.HubSearchHandler, {"kind": "models"}),
        (f"hub/datasets/{_ID}", hub.HubRepositoryHandler, {"kind": "datasets"}),
        (f"hub/datasets/{_ID}/{_ID}", hub.HubRepositoryHandler, {"kind": "datasets"}),
        (f"hub/models/{_ID}", hub.HubRepositoryHandler, {"kind": "models"}),
        (f"hub/models/{_ID}/{_ID}", hub.HubRepositoryHandler, {"kind": "models"}),
        ("uploads", uploads.UploadsHandler),
        (f"uploads/{_ID}", uploads.UploadHandler),
        ("hub/cache", models.CacheHandler),
        ("models", models.ModelsHandler),
        ("models/delete", models.ModelsDeleteHandler),
        ("models/folders", models.FoldersHandler),
        ("models/compare", models.CompareHandler),
        (f"models/{_ID}", models.ModelHandler),
        (f"models/{_ID}/dependents", models.DependentsHandler),
        (f"models/{_ID}/estimate", models.ModelEstimateHandler),
        (f"models/{_ID}/tokenizer", models.TokenizerHandler),
        (f"models/{_ID}/variants", models.VariantsHandler),
        (f"models/{_ID}/architecture", nouns.ArchitectureHandler),
        ("extractions", nouns.CollectionHandler, {"noun": "extractions"}),
        ("extractions/estimate", nouns.EstimateHandler),
        ("extractions/delete", nouns.BulkDeleteHandler, {"noun": "extractions"}),
        (f"extractions/{_ID}", nouns.ItemHandler, {"noun": "extractions"}),
        (f"extractions/{_ID}/manifest", nouns.ManifestHandler),
        (f"extractions/{_ID}/tokens", activations.TokensHandler),
        (f"extractions/{_ID}/top", activations.TopHandler),
        (f"extractions/{_ID}/projection", activations.ProjectionHandler),
        ("templates", templates.TemplatesHandler),
        ("templates/export", templates.ExportHandler),
        ("templates/import", templates.ImportHandler),
        (f"templates/{_ID}", templates.TemplateHandler),
        ("jobs", jobs.JobsHandler),
        (f"jobs/{_ID}", jobs.JobHandler),
        (f"jobs/{_ID}/log", jobs.LogHandler),
        (f"jobs/{_ID}/cancel", jobs.CancelHandler),
        (f"jobs/{_ID}/retry", jobs.RetryHandler),
        (r".*", handlers.NoRouteHandler),
    ]
    return [(rf"{PREFIX}/{row[0]}", row[1], row[2] if len(row) > 2 else {}) for row in table]
