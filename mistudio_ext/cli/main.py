"""Arguments of ``jupyter mistudio`` and its exit codes: 0 done, 1 failed, 2 bad arguments."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mistudio_ext._version import __version__
from mistudio_ext.cli.dataset_arguments import add_dataset_commands
from mistudio_ext.cli.model_arguments import add_model_commands
from mistudio_ext.disk.full import is_full, no_space
from mistudio_ext.errors import InvalidInputError, MiStudioError, NotFoundError

DONE, FAILED, BAD_ARGUMENTS = 0, 1, 2

#: Command -> module with ``run(arguments) -> exit code``.
_COMMANDS = {
    "demo": "mistudio_ext.cli.demo",
    "extract": "mistudio_ext.cli.extract",
    "list": "mistudio_ext.cli.catalog",
    "show": "mistudio_ext.cli.catalog",
    "delete": "mistudio_ext.cli.catalog",
    "models": "mistudio_ext.cli.models",
    "verify": "mistudio_ext.cli.verify",
    **dict.fromkeys(
        ("import", "search", "statistics", "tokenize", "export"), "mistudio_ext.cli.datasets"
    ),
    "doctor": "mistudio_ext.cli.doctor",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="data folder; default: $MISTUDIO_DATA_DIR, the configured one, or the user's",
    )
    top = argparse.ArgumentParser(
        prog="jupyter mistudio",
        description="Activations of language models, without a notebook.",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", parents=[common], help="run the whole story on the sample")
    demo.add_argument(
        "--headless", action="store_true", help="exit when it is done, open no JupyterLab"
    )

    extract = commands.add_parser("extract", parents=[common], help="store activations")
    _add_extract(extract)

    show_list = commands.add_parser("list", parents=[common], help="what the catalog has")
    show_list.add_argument("--json", action="store_true", help="one JSON object on stdout")

    show = commands.add_parser("show", parents=[common], help="one thing of the catalog")
    show.add_argument("id", help="id or name")
    show.add_argument("--json", action="store_true", help="one JSON object on stdout")

    add_dataset_commands(commands, common)

    verify = commands.add_parser(
        "verify", parents=[common], help="read an extraction again and compare its checksums"
    )
    verify.add_argument("id", help="id, name or folder of an extraction")
    verify.add_argument("--json", action="store_true", help="one JSON object on stdout")

    delete = commands.add_parser("delete", parents=[common], help="delete with the files")
    delete.add_argument("id", nargs="+", help="ids or names")
    delete.add_argument(
        "--variants", action="store_true", help="with a model, those that share its files"
    )

    add_model_commands(commands, common)

    doctor = commands.add_parser("doctor", parents=[common], help="is everything as it should be?")
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return top


def _add_extract(extract: argparse.ArgumentParser) -> None:
    what = "an id or name of the catalog, a local folder, or a repository on the Hub"
    extract.add_argument("--model", required=True, metavar="M", help=what)
    extract.add_argument("--dataset", required=True, metavar="D", help=what)
    extract.add_argument("--split", help="default: train, or the only one")
    extract.add_argument("--layers", metavar="0,2-5|all", help="default: all")
    extract.add_argument(
        "--hooks",
        metavar="H",
        nargs="+",
        default=["resid_post"],
        help="short or full names, with commas or spaces (resid_post)",
    )
    extract.add_argument("--layout", choices=("packed", "padded"), default="packed")
    extract.add_argument("--positions", choices=("all", "last", "mean"), default="all")
    extract.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), default="float16")
    extract.add_argument("--context", type=int, metavar="N", help="longest context in tokens")
    extract.add_argument("--max-samples", type=int, metavar="N", help="only the first N contexts")
    extract.add_argument("--batch-tokens", default="auto", metavar="N|auto", help="tokens at once")
    extract.add_argument("--device", default="auto", metavar="auto|cpu|cuda:0")
    extract.add_argument("--quantize", choices=("none", "q8", "q4", "q2"), default="none")
    extract.add_argument(
        "--fallback",
        metavar="all|FORMATS",
        help="formats to try in turn if the model does not fit, for example q8,q4",
    )
    extract.add_argument("--name", help="name of the extraction")
    extract.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = parser().parse_args(_join_layers(sys.argv[1:] if argv is None else argv))
    try:
        module = importlib.import_module(_COMMANDS[arguments.command])
        code: int = module.run(arguments)
    except MiStudioError as error:
        return complain(error)
    except OSError as error:
        if is_full(error):
            return complain(no_space(error, ()))
        reason = f"{error.strerror or error}: {error.filename or ''}".strip(": ")
        return complain(MiStudioError(f"{reason}.", code="system_error"))
    except KeyboardInterrupt:
        print("jupyter mistudio: interrupted; call it again to go on.", file=sys.stderr)
        return FAILED
    return code


def _join_layers(argv: Sequence[str]) -> list[str]:
    """Join ``--layers -1`` into one word: argparse would take the number for an option."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--layers" and re.match(r"-\d", word):
            words[-1] = f"--layers={word}"
        else:
            words.append(word)
    return words


def complain(error: MiStudioError) -> int:
    """Print an error as one line and return the exit code."""
    where = f" [{error.field}]" if error.field else ""
    line = " ".join(f"{error.message} {error.hint or ''} {_remedies(error)}".split())
    print(f"jupyter mistudio: {error.code}{where}: {line}", file=sys.stderr)
    bad_argument = isinstance(error, InvalidInputError | NotFoundError)
    return BAD_ARGUMENTS if bad_argument else FAILED


def _remedies(error: MiStudioError) -> str:
    """Return the options with which the same command may end well."""
    known = [remedy for remedy in error.remedies if "ask" not in remedy]
    changes = [dict(remedy.get("change") or {}) for remedy in known]
    fields = [change.pop("options", {}) | change for change in changes]
    options = [
        " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(v))}" for name, v in change.items())
        for change in fields
        if change
    ]
    return f"Or call it again with {', or with '.join(options)}." if options else ""


if __name__ == "__main__":
    sys.exit(main())
