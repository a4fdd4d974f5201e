"""What is kept of tokenizers: of the one that a model has now, and of those that it had.

``models/<id>`` has what previews and texts need of the model's present tokenizer, and the
fingerprint that tells which one that is. When the model is read anew with another tokenizer,
what was kept moves to ``tokenizers/<fingerprint>``: ids that are stored keep their texts.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mistudio_ext.activations.tokenizer import TEXTS_FILE

#: Tells of which tokenizer the files beside it are.
_MARK = "tokenizer_fingerprint"

#: What stands there instead of a fingerprint.
_UNFINISHED, _NO_TOKENIZER = "unfinished", "none"

#: What :meth:`TextEncoder.save_for_preview` writes.
_FILES = ("tokenizer.json", "tokenizer_facts.json", TEXTS_FILE)


def begin(folder: Path, fingerprint: str | None) -> None:
    """Make room for what is kept of a tokenizer, None for a model without one.

    Until :func:`finish`, what is in the folder is of no tokenizer.

    Parameters
    ----------
    folder
        ``models/<id>``.
    fingerprint
        Of the tokenizer's files.
    """
    before = _marked(folder)
    there = [folder / name for name in _FILES if (folder / name).exists()]
    if before not in (None, _UNFINISHED, fingerprint) and there:
        target = _former(folder, before)
        if target.exists():
            _remove(there)
        else:
            part = target.with_name(f".{before}-{folder.name}")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            for file in there:
                file.rename(part / file.name)
            part.rename(target)
    else:
        _remove(there)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text(_UNFINISHED)


def finish(folder: Path, fingerprint: str | None) -> None:
    """Say of which tokenizer a folder's files are, once they are known to be of one alone."""
    (folder / _MARK).write_text(fingerprint or _NO_TOKENIZER)


def find(folder: Path, fingerprint: str | None) -> Path | None:
    """Return where a tokenizer is kept that a model has or had.

    Parameters
    ----------
    folder
        ``models/<id>``.
    fingerprint
        Of the tokenizer; None where an earlier release did not note it.

    Returns
    -------
    Path or None
        None if the model's tokenizer is another one now, and this one is not kept.
    """
    present = _marked(folder)
    if fingerprint is None or present in (None, fingerprint):
        return folder
    former = _former(folder, fingerprint)
    return former if former.is_dir() else None


def _former(folder: Path, fingerprint: str | None) -> Path:
    return folder.parent.parent / "tokenizers" / str(fingerprint)


def _marked(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text().strip() or None
    except OSError:
        return None


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink()
