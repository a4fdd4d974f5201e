"""Arguments of ``jupyter mistudio models``."""

from __future__ import annotations

import argparse
from typing import Any

from mistudio_ext.spec import MODEL_FORMATS


def add_model_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its actions."""
    models = commands.add_parser("models", help="search, estimate, add, convert, compare models")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    shared = argparse.ArgumentParser(add_help=False, parents=[common])
    shared.add_argument("--json", action="store_true", help="one JSON object on stdout")
    named = "id or name of a model of the catalog"

    search = actions.add_parser("search", parents=[shared], help="search the Hub")
    search.add_argument("words", help="words of the name")

    estimate = actions.add_parser(
        "estimate", parents=[shared], help="what each format takes, before a download too"
    )
    estimate.add_argument("model", help=f"{named}, or a repository on the Hub")
    estimate.add_argument("--batch-tokens", type=int, metavar="N", help="default: 4096")
    estimate.add_argument("--hooks", type=int, metavar="N", help="hook points stored; default: 1")

    add = actions.add_parser("add", parents=[shared], help="register, downloading what is missing")
    add.add_argument("model", help="a folder, a repository on the Hub, or sample-model")
    add.add_argument("--format", choices=MODEL_FORMATS, help="default: that of the files")
    add.add_argument("--revision", help="branch, tag or commit")
    add.add_argument("--name", help="a name to find it by")

    variants = actions.add_parser("variants", parents=[shared], help="all formats of a model")
    variants.add_argument("model", help=named)

    make = actions.add_parser("make", parents=[shared], help="make a variant and measure it")
    make.add_argument("model", help=named)
    make.add_argument("format", choices=MODEL_FORMATS)
    make.add_argument(
        "--fallback", metavar="all|FORMATS", help="formats to try in turn if it does not fit"
    )
    make.add_argument("--device", default="auto", metavar="auto|cpu|cuda:0")
    make.add_argument("--name", help="a name to find it by")

    compare = actions.add_parser("compare", parents=[shared], help="two models side by side")
    compare.add_argument("first", help=named)
    compare.add_argument("second", help=named)
