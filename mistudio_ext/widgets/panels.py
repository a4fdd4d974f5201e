"""The panels, one class each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

import traitlets

from mistudio_ext.activations import card
from mistudio_ext.activations.handle import Activations
from mistudio_ext.client.opening import list_extractions, open_extraction
from mistudio_ext.errors import MiStudioError
from mistudio_ext.widgets import picture
from mistudio_ext.widgets.base import PanelWidget
from mistudio_ext.widgets.picture import Listing


class DatasetPanel(PanelWidget):
    """Datasets: register them, look at their samples, tokenise them.

    Parameters
    ----------
    dataset
        Id or name of the dataset to show first; None for the list.
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio datasets"
    _listing: ClassVar[Listing | None] = Listing(
        "datasets", {"Name": "name", "State": "state", "Rows": "n_rows", "Bytes": "n_bytes"}
    )
    panel = traitlets.Unicode("datasets", read_only=True).tag(sync=True)

    def __init__(self, dataset: str | None = None, **options: Any) -> None:
        super().__init__(selection=_chosen(options, dataset=dataset), **options)


class ModelPanel(PanelWidget):
    """Models: register them, look at what they are.

    Parameters
    ----------
    model
        Id or name of the model to show first; None for the list.
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio models"
    _listing: ClassVar[Listing | None] = Listing(
        "models",
        {
            "Name": "name",
            "State": "state",
            "Family": "family",
            "Format": "format",
            "Layers": "n_layers",
            "Width": "d_model",
            "Parameters": "n_params",
        },
    )
    panel = traitlets.Unicode("models", read_only=True).tag(sync=True)

    def __init__(self, model: str | None = None, **options: Any) -> None:
        super().__init__(selection=_chosen(options, model=model), **options)


class ArchitecturePanel(PanelWidget):
    """A model's architecture: layers, parameters, hook points and their checks.

    Parameters
    ----------
    model
        Id, name or repository of a registered model; None lets the user
        choose one.
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio architecture"
    panel = traitlets.Unicode("architecture", read_only=True).tag(sync=True)

    def __init__(self, model: str | None = None, **options: Any) -> None:
        super().__init__(selection=_chosen(options, model=model), **options)


class ExtractionPanel(PanelWidget):
    """Choose model, dataset, layers and hook points, and extract.

    ``panel.selection`` holds the choice in the words of
    :func:`mistudio_ext.extract`: ``ms.extract(**panel.selection)`` is the same
    as the panel's button.

    Parameters
    ----------
    model, dataset
        Id, name or repository of what is chosen first.
    layers, hooks
        Which are ticked first, as for :func:`mistudio_ext.extract`.
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio extraction"
    panel = traitlets.Unicode("extraction", read_only=True).tag(sync=True)

    def __init__(
        self,
        model: str | None = None,
        dataset: str | None = None,
        layers: Iterable[int] | None = None,
        hooks: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        selection = _chosen(
            options,
            model=model,
            dataset=dataset,
            layers=None if layers is None else [int(layer) for layer in layers],
            hooks=None if hooks is None else list(hooks),
        )
        super().__init__(selection=selection, **options)


class JobsPanel(PanelWidget):
    """Jobs: queue, progress, logs, cancel and retry.

    Parameters
    ----------
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio jobs"
    _listing: ClassVar[Listing | None] = Listing(
        "jobs", {"Job": "kind", "For": "target", "State": "state", "Ended": "ended_at"}
    )
    panel = traitlets.Unicode("jobs", read_only=True).tag(sync=True)


class MonitorPanel(PanelWidget):
    """The machine: its last minutes, who uses it, and what takes the space.

    Parameters
    ----------
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.
    """

    _title: ClassVar[str] = "miStudio machine"
    panel = traitlets.Unicode("monitor", read_only=True).tag(sync=True)


class ActivationPanel(PanelWidget):
    """Look at the activations of an extraction.

    Parameters
    ----------
    acts
        The handle; or a name, id or folder; None for the list.
    **options
        See :class:`~mistudio_ext.widgets.base.PanelWidget`.

    Attributes
    ----------
    activations : Activations or None
        The handle.
    """

    _title: ClassVar[str] = "miStudio activations"
    panel = traitlets.Unicode("activations", read_only=True).tag(sync=True)

    def __init__(
        self, acts: Activations | str | os.PathLike[str] | None = None, **options: Any
    ) -> None:
        opened = acts if acts is None or isinstance(acts, Activations) else open_extraction(acts)
        self.activations = opened
        super().__init__(extraction_id=None if opened is None else opened.id, **options)

    def _static_html(self) -> str:
        if self.activations is None:
            try:
                return picture.frame(self._title, card.table(list_extractions()))
            except MiStudioError:
                return super()._static_html()
        return card.card(self.activations) + picture.tokens(self.activations, self.selection)


def _chosen(options: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Take the selection out of the options, what was given by name first."""
    selection = dict(options.pop("selection", None) or {})
    return {**{key: value for key, value in given.items() if value is not None}, **selection}
