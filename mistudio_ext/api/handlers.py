"""What all handlers have: the studio, JSON bodies, and one translation of errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from mistudio_ext.api.host import StudioHost
from mistudio_ext.errors import InvalidInputError, MiStudioError, NotFoundError

if TYPE_CHECKING:
    from mistudio_ext.studio import Studio

Json = dict[str, Any]

#: ``resource`` of the server's authorizer.
RESOURCE = "mistudio"

#: Largest JSON body.
MAX_BODY = 8 * 2**20

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])


def allowed(action: Literal["read", "write", "execute"]) -> Callable[[Method], Method]:
    """Let a handler's method be called only by an authenticated user who may do this."""

    def wrap(method: Method) -> Method:
        # The action is always given: without it the decorator remembers the first caller's.
        guarded: Any = authorized(action, RESOURCE)(method)
        return cast("Method", web.authenticated(guarded))

    return wrap


_REASONS = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
}


class StudioHandler(APIHandler):
    """Base of all REST handlers."""

    auth_resource = RESOURCE

    @property
    def host(self) -> StudioHost:
        """The studio's host."""
        host: StudioHost = self.settings["mistudio_host"]
        return host

    async def studio(self) -> Studio:
        """Return the open studio."""
        return await self.host.studio()

    def body(self) -> Json:
        """Return the request's JSON object; an empty body is an empty object."""
        if len(self.request.body) > MAX_BODY:
            raise InvalidInputError("The request is too large.", code="body_too_large")
        if not self.request.body.strip():
            return {}
        try:
            body = json.loads(self.request.body)
        except ValueError as error:
            raise InvalidInputError("The request is not JSON.", code="bad_json") from error
        if not isinstance(body, dict):
            raise InvalidInputError("The request must be a JSON object.", code="bad_json")
        return body

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number of the query string."""
        text = self.get_query_argument(name, "")
        if text == "":
            return default
        try:
            return int(text)
        except ValueError:
            raise InvalidInputError(
                f"{name} must be a whole number, not '{text}'.", code="bad_number", field=name
            ) from None

    def text(self, name: str) -> str | None:
        """Return a text of the query string, None where it is absent or empty."""
        return self.get_query_argument(name, "") or None

    async def reply(self, work: Awaitable[Json], status: int = 200) -> None:
        """Wait for the answer and send it."""
        await self._send(await work, status)

    async def reply_started(self, work: Awaitable[tuple[Json, int]]) -> None:
        """Send the answer to a POST that starts work; the same key gets the same answer."""
        key = self.request.headers.get("Idempotency-Key")
        studio = await self.studio()
        async with self.host.keyed if key else contextlib.nullcontext():
            await self._reply_once(key, studio, work)

    async def _reply_once(
        self, key: str | None, studio: Studio, work: Awaitable[tuple[Json, int]]
    ) -> None:
        replies, kept = studio.replies, None
        if key:
            try:
                kept = await self.host.call(replies.find, self._key(key), self.body())
            except MiStudioError:
                _forget(work)
                raise
        if kept is not None:
            _forget(work)
            answer, status = kept
        else:
            answer, status = await work
            if key:
                await self.host.call(replies.keep, self._key(key), status, answer, self.body())
        await self._send(answer, status)

    async def _send(self, answer: Json, status: int) -> None:
        self.set_status(status)
        # Who closed the page meanwhile is no error to be logged.
        with contextlib.suppress(StreamClosedError):
            await self.finish(json.dumps(answer))

    def _key(self, key: str) -> str:
        return f"{self.request.method} {self.request.path} {key}"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send ``{message, reason, code, field?, hint?}``; never a traceback."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, MiStudioError):
            self.set_status(error.status)
            body = {"reason": _REASONS.get(error.status, type(error).__name__), **error.to_dict()}
        elif isinstance(error, web.HTTPError):
            message = error.log_message or error.reason or _REASONS.get(status_code, "Error")
            body = {
                "message": message % error.args if error.args and error.log_message else message,
                "reason": error.reason or _REASONS.get(status_code, "Error"),
                "code": f"http_{status_code}",
            }
        else:
            body = {
                "message": "Something unexpected went wrong in the server.",
                "reason": "Internal error",
                "code": "internal_error",
                "hint": "The server's log has the details.",
            }
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what the user caused as one line, and only the unexpected with a traceback."""
        if isinstance(value, MiStudioError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)


def _forget(work: Awaitable[Any]) -> None:
    """Close work that is not to be done."""
    if isinstance(work, Coroutine):
        work.close()


class NoRouteHandler(StudioHandler):
    """Anything below the API's prefix that is no route."""

    @allowed("read")
    async def get(self) -> None:
        """Answer with a JSON 404."""
        raise NotFoundError(
            f"There is no route {self.request.path}.",
            code="no_such_route",
            hint="spec.yaml describes all routes.",
        )

    post = put = patch = delete = get
