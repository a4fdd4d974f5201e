"""What all panels have in a notebook cell."""

from __future__ import annotations

import difflib
import inspect
import keyword
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import anywidget
import traitlets
from IPython.display import display

from mistudio_ext._version import __version__
from mistudio_ext.activations.progress import in_notebook
from mistudio_ext.client.opening import open_extraction
from mistudio_ext.client.server import find_server
from mistudio_ext.errors import InvalidInputError, MiStudioError
from mistudio_ext.widgets import picture
from mistudio_ext.widgets.loader import bundle, loader
from mistudio_ext.widgets.picture import Listing

#: Name in the notebook if a panel sends a handle without one.
VARIABLE = "acts"


class PanelWidget(anywidget.AnyWidget):
    """A panel of miStudio in a notebook cell.

    Parameters
    ----------
    selection
        What is chosen in the panel, as :attr:`selection`.
    base_url
        Where the Jupyter server is; None takes the page's own.
    server_token
        API token for a page that is not logged in. It becomes part of the
        widget's state, which a notebook may save.
    **options
        Traits of ipywidgets, such as ``layout``.

    Attributes
    ----------
    selection : dict
        What is chosen in the panel. Changes when the user chooses
        (``panel.observe(f, "selection")``), and can be set.

    Raises
    ------
    TypeError
        An argument that does not exist; names the nearest one.
    """

    _esm = loader()
    #: Shown where no widget can be, as in an exported notebook.
    _title: ClassVar[str] = "miStudio"
    _listing: ClassVar[Listing | None] = None

    panel = traitlets.Unicode("studio", read_only=True).tag(sync=True)
    base_url = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    server_token = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)
    extraction_id = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    #: Compared with the server's by the panel.
    kernel_version = traitlets.Unicode(__version__, read_only=True).tag(sync=True)
    #: Names the static picture, which the live panel hides.
    picture = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("picture")
    def _new_picture(self) -> str:
        return uuid.uuid4().hex[:12]

    def __init__(
        self,
        *,
        selection: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        server_token: str | None = None,
        **options: Any,
    ) -> None:
        for name in options:
            if not self.has_trait(name) or name.startswith("_"):
                raise self._unknown(name)
        super().__init__(
            selection=dict(selection or {}),
            base_url=base_url,
            server_token=server_token,
            **options,
        )
        self.on_msg(self._answer)

    @classmethod
    def _unknown(cls, name: str) -> TypeError:
        own = [*inspect.signature(cls).parameters, *inspect.signature(PanelWidget).parameters]
        known = [argument for argument in dict.fromkeys(own) if argument != "options"]
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"Did you mean '{near[0]}'?" if near else f"It takes {', '.join(known)}."
        return TypeError(f"{cls.__name__}() has no argument '{name}'. {hint}")

    def _answer(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Answer a message of the front end."""
        kind = content.get("type")
        if kind == "need-bundle":
            self._send_bundle()
        elif kind == "open-in-kernel":
            self._open_in_kernel(content)

    def _send_bundle(self) -> None:
        """Send the panels to a page that cannot get them, and where the server is."""
        try:
            content = bundle()
        except MiStudioError as error:
            self.send({"type": "bundle", "error": str(error)})
            return
        message: dict[str, Any] = {"type": "bundle"}
        if (address := find_server()) is not None:
            message |= {"base_url": address.url, "server_token": address.token}
        self.send(message, buffers=[content])

    def _open_in_kernel(self, content: dict[str, Any]) -> None:
        """Put the handle of an extraction into the user's namespace."""
        extraction = str(content.get("extraction") or "")
        variable = str(content.get("variable") or VARIABLE)
        answer = {"type": "opened-in-kernel", "extraction": extraction, "variable": variable}
        try:
            push_handle(extraction, variable)
        except (MiStudioError, OSError) as error:
            known = error.to_dict() if isinstance(error, MiStudioError) else {"message": str(error)}
            self.send({**answer, "error": known})
        else:
            self.send(answer)

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.selection.items() if v not in (None, "", [])}
        return f"<{type(self).__name__}{f' {shown}' if shown else ''}>"

    def _ipython_display_(self) -> None:
        """Show a static picture, then the panel, which hides the picture as soon as it lives.

        A saved notebook keeps both: the picture is what is left of a panel without a kernel, in
        an exported page, or in a viewer that runs no widgets.
        """
        found = self._repr_mimebundle_()
        if found is None or not in_notebook():
            raise NotImplementedError  # IPython writes its repr, like any other value's.
        data, metadata = found
        static = {"text/plain": data.pop("text/plain"), "text/html": data.pop("text/html")}
        show: Callable[..., Any] = display
        show(static, raw=True)
        show({**data, "text/plain": ""}, metadata=metadata, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        found = super()._repr_mimebundle_(**kwargs)
        if found is None:
            return None
        data, metadata = found
        marked = f'<div class="jp-mistudio-picture-{self.picture}">{self._static_html()}</div>'
        return {**data, "text/html": marked}, metadata

    def _static_html(self) -> str:
        """Return what is shown where the widget cannot live."""
        chosen = picture.choice(self.selection)
        known = self._listing.table() if self._listing else ""
        alive = "" if chosen or known else "<div>A live panel: run the cell in JupyterLab.</div>"
        return picture.frame(self._title, chosen, known, alive)


def push_handle(extraction: str, variable: str) -> None:
    """Open an extraction and put its handle into the user's namespace.

    Parameters
    ----------
    extraction
        Id or name.
    variable
        Name in the namespace.

    Raises
    ------
    InvalidInputError
        If the name cannot be a variable's, or this is no IPython session.
    NotFoundError, ConflictError
        As for :func:`mistudio_ext.open`.
    """
    if not variable.isidentifier() or keyword.iskeyword(variable):
        raise InvalidInputError(
            f"'{variable}' cannot be the name of a variable.",
            code="bad_variable",
            field="variable",
        )
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        raise InvalidInputError(
            "This kernel has no IPython session.",
            code="no_session",
            hint=f"Run: {variable} = mistudio_ext.open({extraction!r})",
        )
    shell.push({variable: open_extraction(extraction)})
