"""``jupyter mistudio models``: search, estimate, add, formats, comparison."""

from __future__ import annotations

import argparse
import json

from mistudio_ext.cli.extract import fallback_of, follow
from mistudio_ext.cli.progress import tell
from mistudio_ext.cli.session import studio
from mistudio_ext.client.model_calls import StudioModels
from mistudio_ext.client.models import Models
from mistudio_ext.client.table import Table
from mistudio_ext.jobs.kinds import ENDED
from mistudio_ext.studio import Studio


def run(arguments: argparse.Namespace) -> int:
    """Run one of the actions."""
    with studio(arguments) as opened:
        calls = StudioModels(opened)
        table = _ACTIONS[arguments.action](Models(lambda: calls, tell), opened, arguments)
    print(json.dumps(table.answer) if arguments.json else table)
    return 0


def _search(models: Models, _: Studio, arguments: argparse.Namespace) -> Table:
    return models.search(arguments.words)


def _estimate(models: Models, _: Studio, arguments: argparse.Namespace) -> Table:
    return models.estimate(
        arguments.model, batch_tokens=arguments.batch_tokens, n_hooks=arguments.hooks
    )


def _add(models: Models, opened: Studio, arguments: argparse.Namespace) -> Table:
    record = models.add(
        arguments.model,
        format=arguments.format,
        revision=arguments.revision,
        name=arguments.name,
        wait=False,
    )
    _follow(opened, record)
    return models.variants(record["id"])


def _variants(models: Models, _: Studio, arguments: argparse.Namespace) -> Table:
    return models.variants(arguments.model)


def _make(models: Models, opened: Studio, arguments: argparse.Namespace) -> Table:
    record = models.make_variant(
        arguments.model,
        arguments.format,
        fallback=fallback_of(arguments.fallback),
        device=arguments.device,
        name=arguments.name,
        wait=False,
    )
    _follow(opened, record)
    return models.variants(record["id"])


def _compare(models: Models, _: Studio, arguments: argparse.Namespace) -> Table:
    return models.compare(arguments.first, arguments.second)


def _follow(opened: Studio, record: dict[str, object]) -> None:
    job_id = str(opened.models.get(str(record["id"]))["job_id"] or "")
    job = opened.catalog.jobs.find(id=job_id) if job_id else None
    if job is not None and job.state not in ENDED:
        follow(opened, job_id)


_ACTIONS = {
    "search": _search,
    "estimate": _estimate,
    "add": _add,
    "variants": _variants,
    "make": _make,
    "compare": _compare,
}
