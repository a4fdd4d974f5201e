"""A card in a notebook that follows its extraction until that ends."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mistudio_ext.activations import card
from mistudio_ext.activations.manifest import FINAL_STATES
from mistudio_ext.activations.progress import in_notebook
from mistudio_ext.errors import MiStudioError

if TYPE_CHECKING:
    from mistudio_ext.activations.handle import Activations

#: Seconds between looks at the folder.
_EVERY = 0.5

#: Looks after which a card whose extraction never ends is left as it is (a day).
_LOOKS = 2 * 24 * 3600


def show(acts: Activations) -> None:
    """Show the card of a handle in the running cell and keep it up to date.

    Raises
    ------
    NotImplementedError
        Outside a notebook and for an extraction that has ended: what tells
        IPython to show the card once, like any other value.
    """
    if not in_notebook() or _ended(acts):
        raise NotImplementedError
    from IPython.display import display

    display_id = uuid.uuid4().hex
    shown: Callable[..., Any] = display
    shown(_bundle(acts), raw=True, display_id=display_id)
    threading.Thread(
        target=_follow, args=(acts, display_id), name="mistudio-card", daemon=True
    ).start()


def _follow(acts: Activations, display_id: str) -> None:
    from IPython.display import update_display

    update: Callable[..., Any] = update_display
    last: dict[str, str] = {}
    pause = threading.Event()
    for _ in range(_LOOKS):
        ended = _ended(acts)
        bundle = _bundle(acts)
        if bundle != last:
            update(bundle, raw=True, display_id=display_id)
            last = bundle
        if ended:
            return
        pause.wait(_EVERY)


def _bundle(acts: Activations) -> dict[str, str]:
    return {"text/plain": card.plain(acts), "text/html": card.card(acts)}


def _ended(acts: Activations) -> bool:
    try:
        return acts.state in FINAL_STATES
    except MiStudioError:
        return True  # Deleted, or damaged: the card says so.
