"""Where things lie on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ENV_DATA_DIR = "MISTUDIO_DATA_DIR"


def default_data_dir() -> Path:
    """Return ``$MISTUDIO_DATA_DIR``, else the platform's user data folder for ``mistudio``."""
    if chosen := os.environ.get(ENV_DATA_DIR):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mistudio", appauthor=False)


@dataclass(frozen=True)
class DataFolder:
    """The data folder and the places in it."""

    root: Path

    @property
    def catalog(self) -> Path:
        """The SQLite file of the catalog."""
        return self.root / "catalog.sqlite3"

    def dataset(self, dataset_id: str) -> Path:
        """Arrow files of a dataset, one folder per split."""
        return self.root / "datasets" / dataset_id

    def model(self, model_id: str) -> Path:
        """Files that we made for a model; downloads stay in the cache of the Hub."""
        return self.root / "models" / model_id

    def tokenization(self, tokenization_id: str) -> Path:
        """Flat token ids and offsets of a tokenization."""
        return self.root / "tokenizations" / tokenization_id

    def tokenizer(self, fingerprint: str) -> Path:
        """Files that previews need of a tokenizer that is a folder of its own."""
        return self.root / "tokenizers" / fingerprint

    def extraction(self, extraction_id: str) -> Path:
        """Arrays, journal and manifest of an extraction."""
        return self.root / "activations" / extraction_id

    def job(self, job_id: str) -> Path:
        """Spec, events, log and result of a job."""
        return self.root / "jobs" / job_id

    @property
    def leases(self) -> Path:
        """Tickets for devices, where no folder is shared by all users."""
        return self.root / "jobs" / ".leases"

    @property
    def temporary(self) -> Path:
        """Half-made things, removed when nobody works on them."""
        return self.root / "tmp"
