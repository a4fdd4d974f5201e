"""Arguments of the commands that import, search, count, tokenise and export datasets."""

from __future__ import annotations

import argparse
from typing import Any

from mistudio_ext.store.readers.numbers import TYPES
from mistudio_ext.store.readers.quoting import QUOTINGS
from mistudio_ext.store.readers.settings import OPTIONS


def add_dataset_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands' own arguments."""
    as_json = argparse.ArgumentParser(add_help=False, parents=[common])
    as_json.add_argument("--json", action="store_true", help="one JSON object on stdout")

    new = commands.add_parser("import", parents=[as_json], help="import a dataset")
    new.add_argument("source", help="a file, a folder, a repository on the Hub, or sample-stories")
    new.add_argument("--name", help="name of the dataset")
    new.add_argument("--config", help="configuration of a repository")
    new.add_argument("--revision", help="branch, tag or commit of a repository")
    new.add_argument("--splits", metavar="S,S", help="only these splits")
    new.add_argument("--columns", metavar="C,C", help="only these columns")
    new.add_argument("--text-column", help="column with the text; default: found by its name")
    new.add_argument("--max-rows", type=int, metavar="N", help="only the first N rows")
    new.add_argument(
        "--bad-rows",
        choices=("stop", "skip", "keep"),
        default="stop",
        help="rows that cannot be read: stop, leave them out, or keep them mended",
    )

    _add_reading(new)

    search = commands.add_parser("search", parents=[as_json], help="find rows of a dataset")
    search.add_argument("dataset", help="id or name")
    search.add_argument("query", nargs="?", help='words, "a phrase", begin*, AND, OR, NOT')
    search.add_argument("--split", help="default: train, or the only one")
    search.add_argument("--offset", type=int, metavar="N", help="rows to pass over")
    search.add_argument("--limit", type=int, metavar="N", help="rows at most (50)")
    search.add_argument("--tokenization", metavar="T", help="where token counts come from")
    search.add_argument("--tokens", metavar="TEXT", help="a text whose tokens are looked for")
    search.add_argument("--column", help="search this column, not the dataset's own text")
    search.add_argument(
        "--where",
        metavar="COLUMN:VALUE",
        action="append",
        help="only rows with this value; may be repeated",
    )
    search.add_argument("--min-tokens", type=int, metavar="N")
    search.add_argument("--max-tokens", type=int, metavar="N")

    statistics = commands.add_parser(
        "statistics", parents=[common], help="statistics of a dataset as JSON, or as CSV"
    )
    statistics.add_argument("dataset", help="id or name")
    statistics.add_argument("--tokenization", metavar="T", help="by its tokens, not by words")
    statistics.add_argument("--csv", action="store_true", help="a value a line")

    tokenize = commands.add_parser("tokenize", parents=[as_json], help="tokenise a split")
    tokenize.add_argument("dataset", help="id or name")
    whose = tokenize.add_mutually_exclusive_group(required=True)
    whose.add_argument("--model", metavar="M", help="id or name of a registered model")
    whose.add_argument("--tokenizer", metavar="DIR", help="folder of a tokenizer")
    tokenize.add_argument("--split", help="default: train, or the only one")
    tokenize.add_argument("--column", help="another column than the dataset's own")
    tokenize.add_argument("--context", type=int, metavar="N", help="longest context in tokens")
    tokenize.add_argument("--mode", choices=("truncate", "chunk", "pack"))
    tokenize.add_argument("--overlap", type=int, metavar="N", help="tokens a chunk repeats")
    tokenize.add_argument("--bos", choices=("auto", "each", "first", "none"))
    tokenize.add_argument(
        "--no-special-tokens", dest="special_tokens", action="store_false", default=None
    )
    tokenize.add_argument("--chat-template", action="store_true", default=None)
    tokenize.add_argument("--min-tokens", type=int, metavar="N", help="shortest context")
    tokenize.add_argument("--max-rows", type=int, metavar="N", help="only the first N rows")
    tokenize.add_argument("--max-samples", type=int, metavar="N", help="stop at N contexts")
    tokenize.add_argument("--junk", choices=("keep", "remove"))
    tokenize.add_argument("--max-junk-share", type=float, metavar="0..1")
    tokenize.add_argument("--bad-rows", choices=("stop", "skip"))

    export = commands.add_parser(
        "export", parents=[as_json], help="a tokenization as a folder that datasets opens"
    )
    export.add_argument("tokenization", help="its id")
    export.add_argument("--padding", choices=("max_length", "none"), default="max_length")


def _add_reading(new: argparse.ArgumentParser) -> None:
    """Add how files are read, for what is not to be detected."""
    reading = new.add_argument_group("how files are read (default: detected)")
    reading.add_argument("--format", choices=tuple(OPTIONS), help="for a name that does not tell")
    reading.add_argument("--encoding", help="utf-8, cp1252, utf-16, ...")
    reading.add_argument("--delimiter", metavar="C", help="of CSV: , or ; or | or tab")
    reading.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether the first row of CSV names the columns",
    )
    reading.add_argument(
        "--field",
        metavar="NAME",
        help="the field with the rows, of JSON that is one object",
    )
    reading.add_argument(
        "--quoting",
        choices=QUOTINGS,
        help='of CSV: "" is a quotation mark in a value, \\" is one, or all are text',
    )
    reading.add_argument(
        "--type",
        metavar="COLUMN=TYPE",
        action="append",
        help=f"type of a CSV column: {', '.join(TYPES)}; may be repeated",
    )
