"""Answers to requests with an idempotency key, so that a repeated request starts nothing twice."""

from __future__ import annotations

from mistudio_ext.catalog.records import ReplyRecord
from mistudio_ext.errors import ConflictError
from mistudio_ext.services.context import Context, Json

#: Answers that are kept.
KEPT = 1000


class ReplyService:
    """Answers by key."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog.replies

    def find(self, key: str) -> tuple[Json, int] | None:
        """Return the answer given to this key."""
        found = self._catalog.find(id=key)
        return (found.body, found.status) if found else None

    def keep(self, key: str, status: int, body: Json) -> None:
        """Keep an answer; the oldest ones go."""
        try:
            self._catalog.add(ReplyRecord(id=key, status=status, body=body))
        except ConflictError:
            return  # The same request at the same time: the first answer stays.
        for old in self._catalog.list()[KEPT:]:
            self._catalog.delete(old.id)
