"""What the Hub says, in words that tell the user what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mistudio_ext.errors import (
    AccessDeniedError,
    HubError,
    InvalidInputError,
    MiStudioError,
    NotFoundError,
)


@contextmanager
def translated(
    repo_id: str, revision: str | None = None, commit: str | None = None
) -> Iterator[None]:
    """Turn errors of ``huggingface_hub`` and of the connection into our own.

    Parameters
    ----------
    commit
        The state of the repository that is being fetched, once it is known.
    """
    import httpx2
    from huggingface_hub import errors as hub

    try:
        yield
    except (hub.HfHubHTTPError, hub.HFValidationError, hub.OfflineModeIsEnabled) as error:
        if commit and isinstance(error, hub.RevisionNotFoundError | hub.EntryNotFoundError):
            raise _gone(repo_id, commit) from error
        raise translate(error, repo_id, revision) from error
    except httpx2.HTTPError as error:
        raise translate(error, repo_id, revision) from error


def translate(error: Exception, repo_id: str, revision: str | None = None) -> MiStudioError:
    """Return our error for one of ``huggingface_hub`` or of the connection."""
    from huggingface_hub import errors as hub

    if isinstance(error, hub.HFValidationError):
        return InvalidInputError(
            f"'{repo_id}' is no repository id.",
            code="bad_repo_id",
            field="repo_id",
            hint="Write it like organisation/name.",
        )
    if isinstance(error, hub.OfflineModeIsEnabled):
        return HubError(
            "The Hub is not asked, because HF_HUB_OFFLINE is set.",
            hint="Unset HF_HUB_OFFLINE, or use a local folder.",
        )
    if isinstance(error, hub.RevisionNotFoundError):
        return NotFoundError(
            f"'{repo_id}' has no revision '{revision or 'main'}'.",
            code="no_such_revision",
            field="revision",
            hint="Give a branch, a tag or a full commit id; leave it empty for the newest.",
        )
    if isinstance(error, hub.GatedRepoError):
        return AccessDeniedError(
            f"Access to '{repo_id}' has to be granted by its authors.",
            code="gated",
            field="token",
            hint="Request access on its page on the Hub, then give a token of that account.",
        )
    if isinstance(error, hub.RepositoryNotFoundError):
        return NotFoundError(
            f"There is no repository '{repo_id}' on the Hub, or it is private.",
            code="repo_not_found",
            field="repo_id",
            hint="Check the spelling; for a private repository give a token that may read it.",
        )
    if isinstance(error, hub.DisabledRepoError):
        return AccessDeniedError(
            f"The Hub has disabled '{repo_id}'.",
            code="repo_disabled",
            field="repo_id",
            hint="Its page on the Hub may say why; choose another copy of it.",
        )
    if isinstance(error, hub.EntryNotFoundError):
        return NotFoundError(
            f"'{repo_id}' has no such file.",
            code="no_such_file",
            field="repo_id",
            hint="Look at its files on the Hub.",
        )
    status = error.response.status_code if isinstance(error, hub.HfHubHTTPError) else None
    if status == 401:
        return AccessDeniedError(
            "The Hub does not accept the token.",
            code="bad_token",
            field="token",
            hint="Make a new one in the settings of your account on the Hub.",
        )
    if status == 403:
        return AccessDeniedError(
            f"The token may not read '{repo_id}'.",
            code="no_access",
            field="token",
            hint="Give a token of an account that has access, with permission to read it.",
        )
    if status == 429:
        return HubError(
            "The Hub asks to slow down.", code="rate_limited", hint="Try again in some minutes."
        )
    reason = f"it answered with status {status}" if status else _plain(error)
    return HubError(
        f"The Hugging Face Hub cannot be reached: {reason}.",
        hint="Check the network connection, the proxy settings and HF_ENDPOINT, then retry; "
        "what was downloaded is kept.",
    )


def bad_answer(repo_id: str) -> HubError:
    """Return the error for an answer that is none of the Hub's, such as a proxy's own page."""
    return HubError(
        f"The Hub's answer about '{repo_id}' cannot be read.",
        code="bad_answer",
        hint="A proxy or a login page of the network may have answered: try another network, "
        "and check hub_endpoint.",
    )


def _gone(repo_id: str, commit: str) -> NotFoundError:
    return NotFoundError(
        f"'{repo_id}' was changed while it was being fetched: its state {commit[:8]} is gone.",
        code="revision_gone",
        field="revision",
        hint="Try again: the newest state is taken, and files that stayed the same are kept.",
    )


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
