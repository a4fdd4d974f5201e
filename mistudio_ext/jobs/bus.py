"""What happened, in order: numbered messages, the last ones kept for replay."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: Messages kept for clients that were away.
KEPT = 2000


@dataclass(frozen=True)
class Message:
    """One thing that happened.

    Attributes
    ----------
    type
        ``job``, ``dataset``, ``model``, ``tokenization``, ``extraction``, ``system`` or ``reset``.
    seq
        Number in order, rising across restarts of the server.
    topic
        ``jobs/job_…``: later messages of a topic replace earlier ones.
    payload
        The record as REST gives it, or ``{"id": …, "deleted": true}``.
    """

    type: str
    seq: int
    topic: str
    payload: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The message as JSON; encoded once, however many read it."""
        return json.dumps(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the message as it goes over the websocket."""
        return {
            "type": self.type,
            "seq": self.seq,
            "topic": self.topic,
            "payload": self.payload,
        }


Subscriber = Callable[[Message], None]


class EventBus:
    """Numbers messages, keeps the last, and hands them to subscribers.

    Subscribers are called in the publisher's thread and must return at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Milliseconds since the epoch: a restarted server goes on above all it ever sent.
        self._seq = int(time.time() * 1000)
        self._kept: deque[Message] = deque(maxlen=KEPT)
        #: Number of the newest message that was kept once and is gone.
        self._gone = self._seq
        #: Changes with every start of the server.
        self.epoch = secrets.token_hex(4)
        self._subscribers: list[Subscriber] = []

    @property
    def seq(self) -> int:
        """Number of the last message."""
        return self._seq

    def hello(self, version: str) -> Message:
        """Return what a new reader is told first: where the numbers are, and of which start."""
        payload = {"version": version, "epoch": self.epoch}
        return Message("hello", self._seq, "server", payload)

    def publish(self, kind: str, topic: str, payload: dict[str, Any], *, keep: bool = True) -> None:
        """Give a message its number and hand it out; kept, unless it is of this moment only."""
        with self._lock:
            self._seq += 1
            message = Message(kind, self._seq, topic, payload)
            if keep:
                self._keep(message)
            subscribers = list(self._subscribers)
            if subscribers:
                _ = message.text  # In this thread, not on the event loop of those who send it.
            for subscriber in subscribers:
                subscriber(message)

    def subscribe(self, subscriber: Subscriber, since: int | None = None) -> None:
        """Add a subscriber; first it gets what it missed, or a ``reset`` if that is gone."""
        with self._lock:
            if since is not None:
                for message in self._missed(since):
                    subscriber(message)
            self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber."""
        with self._lock:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

    def _keep(self, message: Message) -> None:
        if len(self._kept) == KEPT:
            self._gone = self._kept[0].seq
        self._kept.append(message)

    def _missed(self, since: int) -> list[Message]:
        if since < self._gone or since > self._seq:
            return [Message("reset", self._seq, "server", {})]
        return [message for message in self._kept if message.seq > since]
