"""Every error a user can meet, each also the builtin a caller would catch.

An error says what happened (``message``), what kind it is (``code``), and what
to do about it (``hint``). The HTTP layer, the command line, the panels and the
notebook all show these same fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class MiStudioError(Exception):
    """Base of all errors that are shown to a user.

    Parameters
    ----------
    message
        What happened, in one sentence.
    code
        Machine-readable kind, ``snake_case``; each class has a default.
    hint
        What the user can do about it.
    field
        The input field at fault, if there is one.
    remedies
        Changes of the request that mend it: ``{"label", "change": {field: value}}`` each.
    """

    default_code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        field: str | None = None,
        remedies: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.field = field
        self.remedies = list(remedies)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """Return ``{code, message}`` with hint, field and remedies where they are set."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        if self.field:
            body["field"] = self.field
        if self.remedies:
            body["remedies"] = self.remedies
        return body

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_dict, (self.to_dict(), type(self)))


class InvalidInputError(MiStudioError, ValueError):
    """The request cannot be carried out as it stands."""

    default_code = "invalid_input"
    status = 400


class NotFoundError(MiStudioError, LookupError):
    """Nothing has this id, name or path."""

    default_code = "not_found"
    status = 404


class ConflictError(MiStudioError, RuntimeError):
    """The request contradicts the present state (a name taken, a thing in use)."""

    default_code = "conflict"
    status = 409


class AccessDeniedError(MiStudioError, PermissionError):
    """The Hub, the file system or the administrator does not allow it."""

    default_code = "access_denied"
    status = 403


class HubError(MiStudioError, ConnectionError):
    """The Hugging Face Hub could not be reached or answered with an error."""

    default_code = "hub_unavailable"
    status = 502


class NoSpaceError(MiStudioError, OSError):
    """There is not enough room on the disk.

    Parameters
    ----------
    message, code, hint, field, remedies
        As for every error.
    needed_bytes
        What was to be written, where it is known.
    free_bytes
        What was free then.
    """

    default_code = "no_space"
    status = 507

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        field: str | None = None,
        remedies: Sequence[dict[str, Any]] = (),
        needed_bytes: int | None = None,
        free_bytes: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, field=field, remedies=remedies)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return ``{code, message}`` with hint, field and bytes where they are known."""
        sizes = {"needed_bytes": self.needed_bytes, "free_bytes": self.free_bytes}
        return super().to_dict() | {k: v for k, v in sizes.items() if v is not None}


class OutOfMemoryError(MiStudioError, MemoryError):
    """The device or the machine ran out of memory."""

    default_code = "out_of_memory"
    status = 507


class ExtractionError(MiStudioError, RuntimeError):
    """An extraction ended without its activations."""

    default_code = "extraction_failed"
    status = 500


class CancelledError(MiStudioError, RuntimeError):
    """The user cancelled the job."""

    default_code = "cancelled"
    status = 409


class YieldedError(CancelledError):
    """The job gave its device to others for a while; it is queued again by itself."""

    default_code = "yielded"


class BusyError(MiStudioError, TimeoutError):
    """Something was in use for too long; the same again will do."""

    default_code = "busy"
    status = 503


class ServerError(MiStudioError, ConnectionError):
    """The Jupyter server half of the extension could not be reached."""

    default_code = "server_unreachable"
    status = 503


_BY_CODE: dict[str, type[MiStudioError]] = {
    kind.default_code: kind
    for kind in (
        InvalidInputError,
        NotFoundError,
        ConflictError,
        AccessDeniedError,
        HubError,
        NoSpaceError,
        OutOfMemoryError,
        ExtractionError,
        CancelledError,
        BusyError,
        ServerError,
    )
}


def from_dict(body: dict[str, Any], kind: type[MiStudioError] | None = None) -> MiStudioError:
    """Rebuild the error that ``to_dict`` described.

    Parameters
    ----------
    body
        ``{code, message, hint?, field?}``.
    kind
        The class to build; by default the one whose ``default_code`` it is,
        else :class:`MiStudioError`.
    """
    kind = kind or _BY_CODE.get(body.get("code", ""), MiStudioError)
    sizes = ("needed_bytes", "free_bytes") if issubclass(kind, NoSpaceError) else ()
    return kind(
        body.get("message", "Something went wrong."),
        code=body.get("code"),
        hint=body.get("hint"),
        field=body.get("field"),
        remedies=body.get("remedies", ()),
        **{name: body.get(name) for name in sizes},
    )
