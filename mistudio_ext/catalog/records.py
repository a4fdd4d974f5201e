"""The rows of the catalog as frozen dataclasses."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def now() -> str:
    """Return the present time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str) -> str:
    """Return a new id such as ``ds_1f0c9a7b22``."""
    return f"{prefix}_{secrets.token_hex(5)}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every row has."""

    id: str
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)


@dataclass(frozen=True, kw_only=True)
class DatasetRecord(Record):
    """A dataset, stored as Arrow files in the data folder."""

    name: str
    source: str
    state: str = "pending"
    error: Json | None = None
    repo_id: str | None = None
    config: str | None = None
    revision: str | None = None
    source_path: str | None = None
    request: Json = field(default_factory=dict)
    identity: str
    splits: list[Json] = field(default_factory=list)
    columns: list[Json] = field(default_factory=list)
    text_column: str | None = None
    #: How the files were read, as the options of a request; None before that is known.
    options: Json | None = None
    n_rows: int | None = None
    n_bytes: int | None = None
    fingerprint: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelRecord(Record):
    """A model, registered in place or downloaded to the Hub's cache."""

    name: str
    source: str
    state: str = "pending"
    error: Json | None = None
    repo_id: str | None = None
    revision: str | None = None
    path: str | None = None
    source_path: str | None = None
    request: Json = field(default_factory=dict)
    identity: str
    format: str = "fp32"
    family: str | None = None
    n_params: int | None = None
    n_layers: int | None = None
    d_model: int | None = None
    vocab_size: int | None = None
    context: int | None = None
    size_bytes: int | None = None
    fingerprint: str | None = None
    tokenizer_fingerprint: str | None = None
    #: ``{names, stamp}`` of the files when they were read; see :mod:`mistudio_ext.model_files`.
    files: Json = field(default_factory=dict)
    in_hf_cache: bool = False
    #: Whether we put the copy into the Hub's cache, and so may free it.
    downloaded: bool = False
    #: The model whose files this variant uses.
    parent_id: str | None = None
    #: What was asked for, where a fall-back made another format.
    requested_format: str | None = None
    fallback_reason: str | None = None
    measured: Json | None = None
    job_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class TokenizationRecord(Record):
    """A split of a dataset as token ids of one tokenizer."""

    dataset_id: str
    #: None where the tokenizer is a folder of its own, not a model's.
    model_id: str | None
    tokenizer: Json | None = None
    split: str
    settings: Json
    identity: str
    state: str = "pending"
    error: Json | None = None
    n_samples: int | None = None
    n_tokens: int | None = None
    n_rows: int | None = None
    skipped: Json = field(default_factory=dict)
    bytes: int | None = None
    job_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PresetRecord(Record):
    """Saved settings of a tokenization."""

    name: str
    settings: Json


@dataclass(frozen=True, kw_only=True)
class ExtractionRecord(Record):
    """A set of stored activations."""

    name: str
    fingerprint: str
    state: str = "queued"
    error: Json | None = None
    model_id: str
    dataset_id: str
    tokenization_id: str
    split: str
    spec: Json
    n_samples: int | None = None
    n_tokens: int | None = None
    bytes: int | None = None
    timings: Json = field(default_factory=dict)
    warnings: list[Json] = field(default_factory=list)
    job_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobRecord(Record):
    """A piece of work, done by one worker process at a time."""

    kind: str
    state: str = "queued"
    target_type: str
    target_id: str
    target_name: str
    params: Json = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    priority: int = 0
    owner: str | None = None
    phase: str | None = None
    message: str = ""
    done: int = 0
    total: int | None = None
    unit: str = ""
    rate: float | None = None
    eta_s: float | None = None
    error: Json | None = None
    warnings: list[Json] = field(default_factory=list)
    cancel_requested: bool = False
    attempt: int = 0
    device: str | None = None
    queued_at: str = field(default_factory=now)
    started_at: str | None = None
    ended_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class TemplateRecord(Record):
    """A saved choice of what to extract."""

    name: str
    description: str = ""
    favorite: bool = False
    spec: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ArchitectureRecord(Record):
    """What the inspection of a model found; the id is the model's."""

    document: Json


@dataclass(frozen=True, kw_only=True)
class ReplyRecord(Record):
    """What was answered to a request with this idempotency key."""

    status: int
    body: Json
