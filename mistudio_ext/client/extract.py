"""``ms.extract``: ask for activations, get a live handle."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mistudio_ext.activations.handle import Activations
from mistudio_ext.client.backend import JobSource, local_backend, server_backend
from mistudio_ext.client.notices import tell
from mistudio_ext.client.opening import handle_of
from mistudio_ext.hookpoints import parse_layers
from mistudio_ext.spec import ContextMode, Layout, Positions, StorageDtype

#: Names of the bundled sample, which no folder of that name can hide.
_BUNDLED = ("sample-model", "sample-stories")


def extract(
    model: str | os.PathLike[str],
    dataset: str | os.PathLike[str],
    layers: int | str | Iterable[int] | None = None,
    hooks: str | Iterable[str] = ("resid_post",),
    *,
    split: str | None = None,
    layout: Layout = "packed",
    positions: Positions = "all",
    dtype: StorageDtype = "float16",
    context: int | None = None,
    mode: ContextMode | None = None,
    max_samples: int | None = None,
    batch_tokens: int | None = None,
    device: str = "auto",
    quantize: str | None = None,
    fallback: bool | Iterable[str] = False,
    name: str | None = None,
    tokenization: Mapping[str, Any] | None = None,
    **unknown: Any,
) -> Activations:
    """Extract activations of a model over a dataset; returns at once.

    In a Jupyter server with miStudio the job runs there, in a worker process
    of its own, and goes on when the kernel ends. Elsewhere this process
    supervises the worker. The same call again opens what is there already,
    and goes on where an interrupted one ended.

    Parameters
    ----------
    model, dataset
        An id or name in the catalog, a local folder, a repository on the
        Hugging Face Hub, or ``"sample-model"`` and ``"sample-stories"``.
    layers
        ``[2, 5]``, ``"0,2-5"``, ``"all"`` or None for all; negative numbers
        count from the last layer. For hooks given by their short name.
    hooks
        Short names (``"resid_post"``, ``"mlp_out"``, ``"attn_out"``, …), full
        names (``"blocks.2.hook_resid_post"``) or ``"module:<path>"``.
    split
        Split of the dataset; None for its first.
    layout
        ``"packed"``: arrays ``[n_tokens, d]``; ``"padded"``:
        ``[n_samples, context, d]``.
    positions
        ``"all"`` positions, the ``"last"`` of each sample, or their ``"mean"``.
    dtype
        Storage dtype: ``"float16"``, ``"bfloat16"``, ``"float32"``.
    context
        Tokens of a sample at most; None for the model's own, 1024 at most.
    mode
        What becomes of a longer row: ``"truncate"`` (default), ``"chunk"``,
        or ``"pack"`` to fill samples with whole rows.
    max_samples
        Use only the first samples.
    batch_tokens
        Tokens that go through the model at once; None lets the engine choose. On a CPU two
        forward passes may share them.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:0"``.
    fallback
        Formats to try in turn if the model does not fit into memory; True means
        each smaller one, False none.
    quantize
        ``"q8"``, ``"q4"``, ``"q2"`` or None.
    name
        A name to open it by; None makes one. Where the same extraction is there under another
        name, that one is opened, with a warning.
    tokenization
        More settings of the tokenization, see
        :class:`mistudio_ext.spec.TokenizationSpec`.

    Returns
    -------
    Activations
        A live handle: ``acts.ready`` grows, ``acts.wait()`` waits.

    Raises
    ------
    InvalidInputError
        A wrong argument, named in ``field``.
    ConflictError
        The name is taken by another extraction.
    NoSpaceError
        The arrays would not fit on the disk.
    ServerError
        The Jupyter server cannot be reached.
    TypeError
        An argument that does not exist; names the nearest one.

    Examples
    --------
    >>> import mistudio_ext as ms
    >>> acts = ms.extract("sample-model", "sample-stories", layers=[2, 5], name="run1")
    >>> acts.wait()["resid_post", 2].shape
    (104372, 192)
    """
    if unknown:
        raise _unknown_argument(next(iter(unknown)))
    body: dict[str, Any] = {
        "model": place_of(model),
        "dataset": place_of(dataset),
        "layers": None if (chosen := parse_layers(layers)) is None else list(chosen),
        "hooks": [hooks] if isinstance(hooks, str) else list(hooks),
        "split": split,
        "layout": layout,
        "positions": positions,
        "dtype": dtype,
        "context": context,
        "mode": mode,
        "max_samples": max_samples,
        "batch_tokens": batch_tokens,
        "device": device,
        "quantize": quantize,
        "fallback": (fallback or None) if isinstance(fallback, bool) else list(fallback),
        "name": name,
        "tokenization": None if tokenization is None else dict(tokenization),
    }
    backend = server_backend() or local_backend()
    record = backend.create({key: value for key, value in body.items() if value is not None})
    tell(record)
    return handle_of(record, JobSource(backend, record["id"]))


def place_of(value: str | os.PathLike[str]) -> str:
    """Return a folder or file as an absolute path, since a server has another working folder."""
    path = Path(value).expanduser()
    if isinstance(value, str) and (value in _BUNDLED or not path.exists()):
        return value
    return str(path.absolute())


def _unknown_argument(name: str) -> TypeError:
    known = [
        parameter.name
        for parameter in inspect.signature(extract).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    nearest = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"Did you mean '{nearest[0]}'?" if nearest else f"It takes {', '.join(known)}."
    return TypeError(f"extract() has no argument '{name}'. {hint}")
