"""``jupyter mistudio import``, ``search``, ``statistics``, ``tokenize`` and ``export``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from mistudio_ext.cli.extract import follow
from mistudio_ext.cli.progress import number, tell
from mistudio_ext.cli.session import Tokenizations, studio
from mistudio_ext.services.context import human
from mistudio_ext.services.resolve import source_of
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.studio import Studio

Json = dict[str, Any]

_IMPORTED = ("name", "config", "revision", "text_column", "max_rows")
_SETTINGS = tuple(field.name for field in fields(TokenizationSpec))

#: Characters of a row that are printed.
_SHOWN = 160


def run(arguments: argparse.Namespace) -> int:
    """Run one of the commands."""
    commands = {
        "import": _import,
        "search": _search,
        "statistics": _statistics,
        "tokenize": _tokenize,
        "export": _export,
    }
    with studio(arguments) as opened:
        commands[arguments.command](opened, arguments)
    return 0


def _import(opened: Studio, arguments: argparse.Namespace) -> None:
    body = source_of(arguments.source) | _given(arguments, _IMPORTED)
    for name in ("splits", "columns"):
        if value := getattr(arguments, name):
            body[name] = value.split(",")
    body["options"] = {"bad_rows": arguments.bad_rows, **_reading(arguments)}
    record, job = opened.datasets.create(body)
    tell(record)
    if job is not None:
        follow(opened, job["id"])
    record = opened.datasets.get(record["id"])
    if arguments.json:
        print(json.dumps(record))
        return
    print(f"{record['name']} ({record['id']})  {human(record['n_bytes'])}")
    for split in record["splits"]:
        print(f"  {split['name']:14} {number(split['n_rows']):>12} rows")
    if options := record["options"]:
        print("  read as " + ", ".join(f"{key} {value!r}" for key, value in options.items()))


def _reading(arguments: argparse.Namespace) -> Json:
    """Return how files are to be read, as far as the arguments say it."""
    options = _given(arguments, ("format", "encoding", "delimiter", "header", "quoting", "field"))
    if options.get("delimiter") in ("tab", "\\t"):
        options["delimiter"] = "\t"
    types = [pair.rpartition("=") for pair in arguments.type or ()]
    if types:
        options["types"] = {column: kind for column, _, kind in types}
    return options


def _search(opened: Studio, arguments: argparse.Namespace) -> None:
    found = opened.dataset_views.samples(
        opened.datasets.record(arguments.dataset).id,
        query=arguments.query,
        **_given(arguments, ("split", "offset", "limit", "tokenization", "tokens")),
        **_given(arguments, ("min_tokens", "max_tokens", "column", "where")),
    )
    if arguments.json:
        print(json.dumps(found))
        return
    for sample in found["samples"]:
        text = " ".join((sample["text"] or "").split())
        print(f"{sample['split']}:{sample['index']}\t{text[:_SHOWN]}")
    shown, read_as = len(found["samples"]), found["searched"]["read_as"]
    reading = "" if read_as is None else f" for {read_as}"
    print(f"{number(shown)} of {number(found['total'])} rows{reading}", file=sys.stderr)


def _statistics(opened: Studio, arguments: argparse.Namespace) -> None:
    dataset = opened.datasets.record(arguments.dataset)
    form = "csv" if arguments.csv else "json"
    _, _, content = opened.dataset_views.export_statistics(dataset.id, arguments.tokenization, form)
    print(content, end="" if content.endswith("\n") else "\n")


def _tokenize(opened: Studio, arguments: argparse.Namespace) -> None:
    dataset = opened.datasets.record(arguments.dataset)
    body = _given(arguments, (*_SETTINGS, "split"))
    if arguments.tokenizer:
        body["tokenizer"] = str(Path(arguments.tokenizer).expanduser().absolute())
    if arguments.model:
        body["model"] = opened.models.record(arguments.model).id
    record, job = opened.tokenizations.create(dataset.id, body)
    if job is not None:
        follow(opened, job["id"])
    record = opened.tokenizations.get(dataset.id, record["id"])
    if arguments.json:
        print(json.dumps(record))
        return
    print(
        f"{record['id']} of {dataset.name} / {record['split']}: {number(record['n_tokens'])} "
        f"tokens in {number(record['n_samples'])} contexts, {human(record['bytes'])}"
    )
    for reason, count in record["skipped"].items():
        if isinstance(count, int) and count:
            print(f"  left out, {reason}: {number(count)}")


def _export(opened: Studio, arguments: argparse.Namespace) -> None:
    record = Tokenizations(opened).record(arguments.tokenization)
    started = opened.exports.start(record.dataset_id, record.id, {"padding": arguments.padding})
    follow(opened, started["job"]["id"])
    print(json.dumps({"path": started["path"]}) if arguments.json else started["path"])


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> Json:
    """Return the arguments of these names that were given."""
    found = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}
