"""Hook names as a user writes them, and the file that belongs to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mistudio_ext import hookpoints
from mistudio_ext.activations.errors import UnknownHookError
from mistudio_ext.errors import InvalidInputError

#: A hook as it may be written: full name, short name, layer, or short name and layer in any order.
HookKey = str | int | tuple[str | int, ...]


def resolve(hooks: Sequence[str], key: HookKey) -> str:
    """Return the full name of the one stored hook that is meant.

    Parameters
    ----------
    hooks
        Full names of the stored hooks.
    key
        A full name, a short name (``"resid_post"`` or ``"residual"``), a
        layer, or both in any order. Negative layers count from the last layer
        that is stored.

    Raises
    ------
    UnknownHookError
        If no stored hook is meant, or more than one.
    """
    if isinstance(key, str) and key in hooks:
        return key
    parts = key if isinstance(key, tuple) else (key,)
    names = [part for part in parts if isinstance(part, str)]
    numbers = [int(part) for part in parts if not isinstance(part, str)]
    if len(names) > 1 or len(numbers) > 1 or not parts:
        raise UnknownHookError(
            f"{key!r} does not name a hook.",
            hint='Write acts["blocks.2.hook_resid_post"] or acts["resid_post", 2].',
        )
    known = {hook: _split(hook) for hook in hooks}
    layers = sorted({layer for layer, _ in known.values() if layer is not None})
    found = [
        hook
        for hook, (layer, short) in known.items()
        if all(_same(name, hook, short) for name in names)
        and all(layer == _from_end(number, layers) for number in numbers)
    ]
    if len(found) == 1:
        return found[0]
    stored = ", ".join(hooks) or "no hooks"
    if found:
        raise UnknownHookError(
            f"{key!r} could be {', '.join(found)}.",
            code="ambiguous_hook",
            hint='Name the layer too: acts["resid_post", 2].',
        )
    raise UnknownHookError(f"There is no hook {key!r} here.", hint=f"There is {stored}.")


def file_name(manifest: Mapping[str, Any], hook: str) -> str:
    """Return the name of a hook's array file.

    Parameters
    ----------
    manifest
        The manifest; its ``files`` are asked first.
    hook
        Full name of the hook.
    """
    for name, entry in (manifest.get("files") or {}).items():
        if entry.get("hook") == hook:
            return str(name)
    return hook.replace(":", "_").replace("/", "_") + ".npy"


def _split(hook: str) -> tuple[int | None, str]:
    try:
        return hookpoints.split_name(hook)
    except InvalidInputError:
        return None, hook


def _same(name: str, hook: str, short: str) -> bool:
    return name == hook or hookpoints.ALIASES.get(name, name) == short


def _from_end(number: int, layers: Sequence[int]) -> int | None:
    if number >= 0:
        return number
    return layers[number] if -number <= len(layers) else None
