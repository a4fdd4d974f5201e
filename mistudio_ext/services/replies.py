"""Answers to requests with an idempotency key, so that a repeated request starts nothing twice."""

from __future__ import annotations

from mistudio_ext.catalog.records import ReplyRecord
from mistudio_ext.errors import ConflictError
from mistudio_ext.services.context import Context, Json
from mistudio_ext.spec import fingerprint

#: Answers that are kept.
KEPT = 1000


class ReplyService:
    """Answers by key."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog.replies

    def find(self, key: str, request: Json) -> tuple[Json, int] | None:
        """Return the answer given to this key.

        Raises
        ------
        ConflictError
            ``key_reused`` if it was given to another request.
        """
        found = self._catalog.find(id=key)
        if found is None:
            return None
        if "request" not in found.body:
            return found.body, found.status  # Of a release that did not note the request.
        if found.body["request"] != _told(request):
            raise ConflictError(
                "This Idempotency-Key belongs to another request.",
                code="key_reused",
                hint="Make a new key for each request; repeat one only with the same body.",
            )
        return found.body["answer"], found.status

    def keep(self, key: str, status: int, body: Json, request: Json) -> None:
        """Keep an answer to a request; the oldest ones go."""
        kept = {"request": _told(request), "answer": body}
        try:
            self._catalog.add(ReplyRecord(id=key, status=status, body=kept))
        except ConflictError:
            return  # The same request at the same time: the first answer stays.
        for old in self._catalog.list()[KEPT:]:
            self._catalog.delete(old.id)


def _told(request: Json) -> str:
    """Return what stands for a request's body; nothing is kept of a token, not even a hash."""
    return fingerprint({name: value for name, value in request.items() if name != "token"})
