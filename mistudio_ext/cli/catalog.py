"""``jupyter mistudio list``, ``show`` and ``delete``."""

from __future__ import annotations

import argparse
import json
import sys

from mistudio_ext.cli.session import find, services, studio
from mistudio_ext.errors import MiStudioError
from mistudio_ext.services.context import human


def run(arguments: argparse.Namespace) -> int:
    """Run one of the three commands."""
    commands = {"list": _list, "show": _show, "delete": _delete}
    return commands[arguments.command](arguments)


def _list(arguments: argparse.Namespace) -> int:
    with studio(arguments) as opened:
        rows = {f"{noun}s": service.list() for noun, service in services(opened).items()}
        if arguments.json:
            print(json.dumps(rows))
            return 0
        for noun, records in rows.items():
            print(f"{noun}:" if records else f"{noun}: none")
            for record in records:
                size = record.get("size_bytes") or record.get("n_bytes") or record.get("bytes")
                shown = human(size) if size else ""
                print(f"  {record['id']:18} {record['state']:12} {shown:>10}  {record['name']}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with studio(arguments) as opened:
        noun, record = find(opened, arguments.id)
        data = services(opened)[noun].get(record.id)
        if arguments.json:
            print(json.dumps(data))
            return 0
        for key, value in data.items():
            if value not in (None, [], {}):
                print(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    code = 0
    with studio(arguments) as opened:
        found = [(name, *find(opened, name)) for name in arguments.id]
        for name, noun, record in found:
            also = {"variants": True} if noun == "model" and arguments.variants else {}
            try:
                gone = services(opened)[noun].delete(record.id, **also)
            except MiStudioError as error:
                # The others go all the same.
                print(f"kept {noun} '{name}': {error}", file=sys.stderr)
                code = 1
            else:
                print(f"deleted {noun} '{name}', {human(gone['freed_bytes'])} freed")
    return code
