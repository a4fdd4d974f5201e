"""Everything put together: settings, catalog, jobs and services.

The server, the command line and a notebook without a server all use this.
"""

from __future__ import annotations

import os

from mistudio_ext.catalog import Catalog
from mistudio_ext.catalog.filesystem import NETWORK, filesystem
from mistudio_ext.jobs import EventBus, JobManager
from mistudio_ext.leases import LeaseFolder, check_shared, find_devices
from mistudio_ext.leases.devices import given
from mistudio_ext.services.activation_views import ActivationViews
from mistudio_ext.services.context import Context
from mistudio_ext.services.dataset_views import DatasetViews
from mistudio_ext.services.datasets import DatasetService
from mistudio_ext.services.exports import ExportService
from mistudio_ext.services.extractions import ExtractionService
from mistudio_ext.services.hub import HubService
from mistudio_ext.services.indexes import IndexService
from mistudio_ext.services.model_facts import ModelFacts
from mistudio_ext.services.model_removal import ModelRemoval
from mistudio_ext.services.models import ModelService
from mistudio_ext.services.monitor import MonitorService
from mistudio_ext.services.near_duplicates import NearDuplicateService
from mistudio_ext.services.replies import ReplyService
from mistudio_ext.services.sample_place import follow_sample
from mistudio_ext.services.storage import StorageService
from mistudio_ext.services.system import SystemService
from mistudio_ext.services.templates import TemplateService
from mistudio_ext.services.tokenization_presets import PresetService
from mistudio_ext.services.tokenization_previews import PreviewService
from mistudio_ext.services.tokenizations import TokenizationService
from mistudio_ext.services.tokenizers import Tokenizers
from mistudio_ext.services.uploads import UploadService
from mistudio_ext.services.variants import VariantService
from mistudio_ext.settings import Settings, from_config_files


class Studio:
    """The services over one data folder.

    Parameters
    ----------
    settings
        Where the data folder is, and the limits.

    Attributes
    ----------
    datasets, dataset_views, near_duplicates, uploads, models, variants, model_removal,
    model_facts, tokenizations, tokenization_presets, previews, exports, extractions,
    activation_views, templates, hub, system, monitor, storage
        The services.
    jobs
        The job manager; it supervises in a thread of its own.
    bus
        What happens, as numbered messages.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.catalog = Catalog(settings.db_url)
        follow_sample(self.catalog)
        self.bus = EventBus()
        self.jobs = JobManager(
            self.catalog,
            self.bus,
            settings.data_dir,
            max_running=settings.max_running_jobs,
            cancel_grace_s=float(settings.engine_options.get("cancel_grace_s", 5.0)),
            leases=_leases(settings),
            max_hold_s=settings.max_hold_s,
            warm_idle_s=settings.warm_worker_idle_s,
            retention_days=settings.job_retention_days,
        )
        context = Context(settings, self.catalog, self.jobs, self.bus)
        self.hub = HubService(context)
        self.uploads = UploadService(context)
        indexes = IndexService(context)
        self.datasets = DatasetService(context, indexes, self.uploads)
        self.models = ModelService(context)
        tokenizers = Tokenizers(context, self.models)
        self.dataset_views = DatasetViews(context, tokenizers, indexes)
        self.near_duplicates = NearDuplicateService(context)
        self.variants = VariantService(context, self.models)
        self.model_removal = ModelRemoval(context)
        self.model_facts = ModelFacts(context, self.models)
        self.tokenizations = TokenizationService(context, tokenizers)
        self.tokenization_presets = PresetService(context)
        self.previews = PreviewService(context, tokenizers)
        self.exports = ExportService(context)
        self.extractions = ExtractionService(
            context, self.datasets, self.models, self.tokenizations, self.variants
        )
        self.activation_views = ActivationViews(context)
        self.monitor = MonitorService(context)
        self.system = SystemService(context, self.monitor)
        self.storage = StorageService(context)
        self.templates = TemplateService(context)
        self.replies = ReplyService(context)
        context.sweep()
        self.jobs.start()

    @classmethod
    def open(cls, settings: Settings | None = None) -> Studio:
        """Open the studio; without settings those of Jupyter's config files."""
        return cls(settings or from_config_files())

    def close(self) -> None:
        """Stop supervising and close the catalog; workers go on."""
        self.monitor.close()
        self.jobs.close()
        self.catalog.close()


def _leases(settings: Settings) -> LeaseFolder:
    """Return where devices are leased: between all users, or for this data folder alone."""
    devices = find_devices(settings.devices, os.environ)
    folder, per_user = settings.lease_dir, settings.max_leases_per_user
    if folder is None or given(os.environ):
        # What a scheduler has given to this process, nobody else uses.
        folder, per_user = settings.folder.leases, 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        check_shared(folder, filesystem(folder), NETWORK)
    return LeaseFolder(folder, devices, per_user=per_user)
