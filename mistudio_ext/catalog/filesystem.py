"""Is this folder on a disk of this machine?"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from mistudio_ext.errors import ConflictError

#: File systems on which SQLite's WAL and file locks cannot be trusted.
NETWORK = frozenset(
    "nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs afs afpfs ncpfs lustre gpfs beegfs ceph glusterfs "
    "fuse.sshfs fuse.s3fs fuse.gcsfuse fuse.glusterfs fuse.rclone fuse.davfs davfs webdav".split()
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
