"""Whether a folder will do for leases between users."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mistudio_ext.errors import InvalidInputError


def check_shared(folder: Path, filesystem: str, network: frozenset[str]) -> None:
    """Raise InvalidInputError if the administrator's folder cannot hold leases.

    Parameters
    ----------
    folder
        The folder of the ``lease_dir`` setting; it must be there.
    filesystem
        Type of the file system that holds it.
    network
        Types on which locks of other machines are not seen, or not freed.
    """
    make = f"An administrator makes it with: install -d -m 1777 {folder}"
    if not folder.is_dir():
        raise _wrong(f"The folder for leases, {folder}, is not there.", make)
    if filesystem in network:
        raise _wrong(
            f"The folder for leases, {folder}, is on a network file system ({filesystem}), "
            "where a lock may outlive its process or not be seen.",
            "Choose a folder on a local disk of each machine, for example below /run.",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _wrong(f"Nobody but its owner may write to the folder for leases, {folder}.", make)
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise _wrong(
            f"In the folder for leases, {folder}, every user can remove the others' tickets.",
            f"Set its sticky bit: chmod 1777 {folder}",
        )


def _wrong(message: str, hint: str) -> InvalidInputError:
    return InvalidInputError(message, code="lease_dir_unusable", field="lease_dir", hint=hint)
