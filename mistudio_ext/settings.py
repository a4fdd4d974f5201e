"""Settings: the traits that an administrator or user sets, and their values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, List, Unicode
from traitlets.config import Config

from mistudio_ext.paths import ENV_DATA_DIR, DataFolder, default_data_dir


@dataclass(frozen=True)
class Settings:
    """Values of the settings, see :class:`SettingsTraits`."""

    data_dir: Path
    db_url: str
    hub_endpoint: str | None = None
    max_running_jobs: int = 3
    max_upload_bytes: int = 20 * 2**30
    disk_reserve_bytes: int = 2**30
    quota_bytes: int = 0
    allow_remote_code: bool = False
    allow_pickle: bool = False
    allow_paths: tuple[Path, ...] = ()
    shared_model_dirs: tuple[Path, ...] = ()
    lease_dir: Path | None = None
    devices: tuple[str, ...] = ()
    max_leases_per_user: int = 0
    max_hold_s: float = 3600.0
    warm_worker_idle_s: float = 300.0
    job_retention_days: float = 30.0
    engine: str = "local"
    engine_options: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> DataFolder:
        """The data folder."""
        return DataFolder(self.data_dir)


class SettingsTraits(HasTraits):
    """The configurable traits of ``MiStudioApp``."""

    data_dir = Unicode(
        "",
        help="Folder for catalog, datasets, tokenizations and activations. "
        f"${ENV_DATA_DIR} comes before it; the default is the user data folder for 'mistudio'.",
    ).tag(config=True)
    db_url = Unicode(
        "",
        help="SQLAlchemy URL of the catalog; by default catalog.sqlite3 in the data folder. "
        "Point it to a local disk when the data folder lies on a network file system.",
    ).tag(config=True)
    hub_endpoint = Unicode(
        "", help="Address of the Hugging Face Hub or a mirror; by default $HF_ENDPOINT or the Hub."
    ).tag(config=True)
    max_running_jobs = Int(3, help="How many jobs run at the same time.").tag(config=True)
    max_upload_bytes = Int(20 * 2**30, help="Largest upload, in bytes.").tag(config=True)
    disk_reserve_bytes = Int(
        2**30, help="Bytes that stay free on the disk of the data folder."
    ).tag(config=True)
    quota_bytes = Int(
        0,
        help="Bytes that a user's data folder and downloaded models may take together; "
        "0: no quota.",
    ).tag(config=True)
    allow_remote_code = Bool(
        False, help="Allow models whose repository brings Python code of its own."
    ).tag(config=True)
    allow_pickle = Bool(
        False,
        help="Allow weights that are pickles (pytorch_model.bin) where a model has no safetensors; "
        "they are read with torch.load(weights_only=True).",
    ).tag(config=True)
    allow_paths = List(
        Unicode(),
        help="Folders from which datasets and models may be read; empty: wherever the user may.",
    ).tag(config=True)
    shared_model_dirs = List(
        Unicode(),
        help="Read-only folders with models that all users share, as <folder>/<org>/<name>; "
        "a model of that name is taken from there instead of the Hub.",
    ).tag(config=True)
    lease_dir = Unicode(
        "",
        help="Folder on a local disk (mode 1777) in which all users of this machine lease its "
        "devices; by default each data folder has leases of its own.",
    ).tag(config=True)
    devices = List(
        Unicode(),
        help="Devices on which extractions run, one at a time on each: UUIDs of GPUs and MIG "
        "slices, other names for slots of the CPU; by default all GPUs and one slot.",
    ).tag(config=True)
    max_leases_per_user = Int(
        0, help="Devices that one user may hold at the same time; 0 for any number."
    ).tag(config=True)
    max_hold_s = Float(
        3600.0,
        help="Seconds after which an extraction yields its device when others wait for it, and "
        "queues again; 0 for never.",
    ).tag(config=True)
    warm_worker_idle_s = Float(
        300.0,
        help="Seconds that a worker stays with its model for the next job; 0 for never.",
    ).tag(config=True)
    job_retention_days = Float(
        30.0, help="Days after which ended jobs and their logs are removed; 0 to keep them."
    ).tag(config=True)
    engine = Enum(["local"], "local", help="Where jobs run: 'local' worker processes.").tag(
        config=True
    )
    engine_options = Dict(
        help="Options of the engine; local: threads (per worker), cancel_grace_s."
    ).tag(config=True)

    def values(self) -> Settings:
        """Return the values with defaults filled in."""
        if self.data_dir and not os.environ.get(ENV_DATA_DIR):
            data_dir = _path(self.data_dir)
        else:
            data_dir = default_data_dir()
        return Settings(
            data_dir=data_dir,
            db_url=self.db_url or f"sqlite:///{DataFolder(data_dir).catalog}",
            hub_endpoint=self.hub_endpoint or os.environ.get("HF_ENDPOINT") or None,
            max_running_jobs=self.max_running_jobs,
            max_upload_bytes=self.max_upload_bytes,
            disk_reserve_bytes=self.disk_reserve_bytes,
            quota_bytes=self.quota_bytes,
            allow_remote_code=self.allow_remote_code,
            allow_pickle=self.allow_pickle,
            allow_paths=tuple(_path(p) for p in self.allow_paths),
            shared_model_dirs=tuple(_path(p) for p in self.shared_model_dirs),
            lease_dir=_path(self.lease_dir) if self.lease_dir else None,
            devices=tuple(self.devices),
            max_leases_per_user=self.max_leases_per_user,
            max_hold_s=self.max_hold_s,
            warm_worker_idle_s=self.warm_worker_idle_s,
            job_retention_days=self.job_retention_days,
            engine=self.engine,
            engine_options=dict(self.engine_options),
        )


class _ConfigFileSettings(SettingsTraits):
    """The traits, filled from the ``MiStudioApp`` section of Jupyter's config files."""


def from_config_files(**overrides: Any) -> Settings:
    """Return the settings that Jupyter's config files give, for use without a server.

    Parameters
    ----------
    **overrides
        Trait values that come before the files and ``$MISTUDIO_DATA_DIR``.
    """
    traits = _ConfigFileSettings()
    for name, value in _config_section().items():
        if traits.has_trait(name):
            setattr(traits, name, value)
    for name, value in overrides.items():
        if value is not None:
            setattr(traits, name, str(value) if isinstance(value, Path) else value)
    settings = traits.values()
    if overrides.get("data_dir") is not None:
        chosen = _path(str(overrides["data_dir"]))
        url = traits.db_url or f"sqlite:///{DataFolder(chosen).catalog}"
        settings = Settings(**{**vars(settings), "data_dir": chosen, "db_url": url})
    return settings


def _config_section() -> dict[str, Any]:
    """Return ``c.MiStudioApp`` of jupyter_server_config and jupyter_mistudio_config."""
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader
    from traitlets.config.loader import PyFileConfigLoader as PyLoader

    config = Config()
    for folder in reversed(jupyter_config_path()):
        for name in ("jupyter_server_config", "jupyter_mistudio_config"):
            for loader, suffix in ((PyLoader, "py"), (JSONFileConfigLoader, "json")):
                try:
                    config.merge(loader(f"{name}.{suffix}", path=folder).load_config())
                except ConfigFileNotFound:
                    continue
    section: dict[str, Any] = dict(config.get("MiStudioApp", {}))
    return section


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()
