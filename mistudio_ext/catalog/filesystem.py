"""Which file system holds a folder: local, or on the network."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from mistudio_ext.errors import ConflictError

#: File systems on which SQLite's WAL and file locks cannot be trusted.
NETWORK = frozenset(
    {
        *("afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.davfs", "fuse.gcsfuse"),
        *("fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs3", "nfs4", "smb", "smb2", "smb3", "smbfs", "webdav"),
    }
)


def filesystem(path: Path) -> str:
    """Return the type of the file system that holds this path (``ext4``, ``nfs4``, …)."""
    real = os.path.realpath(path)
    best, kind = "", ""
    for partition in psutil.disk_partitions(all=True):
        mount = partition.mountpoint.rstrip("/")
        # Of several mounts on one place the last one covers the others.
        inside = real == mount or real.startswith(mount + "/") or mount == ""
        if inside and len(mount) >= len(best):
            best, kind = mount, partition.fstype.lower()
    return kind


def refuse_network(file: Path) -> None:
    """Raise ConflictError if the catalog's file would lie on a network file system."""
    kind = filesystem(file.parent)
    if kind in NETWORK:
        raise ConflictError(
            f"The catalog cannot lie on a network file system: {file} is on {kind}.",
            code="network_file_system",
            hint="Set data_dir, or db_url alone, to a folder on a local disk "
            "(MISTUDIO_DATA_DIR or MiStudioApp.data_dir, MiStudioApp.db_url).",
        )
