"""REST in the shape of this extension: JSON in and out, errors as Python errors."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

from mistudio_ext import errors
from mistudio_ext.client.server import ServerAddress

Json = dict[str, Any]

API = "mistudio/api/v1/"

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_KIND_BY_STATUS: dict[int, type[errors.MiStudioError]] = {
    400: errors.InvalidInputError,
    403: errors.AccessDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    502: errors.HubError,
    503: errors.ServerError,
}


class RestClient:
    """Requests to the server extension.

    Parameters
    ----------
    address
        The Jupyter server.
    timeout_s
        Seconds after which a request is given up.
    """

    def __init__(self, address: ServerAddress, timeout_s: float = 60.0) -> None:
        self.address = address
        self._timeout_s = timeout_s
        handlers: list[urllib.request.BaseHandler] = []
        if urllib.parse.urlsplit(address.url).hostname in _LOOPBACK:
            # This machine's own server: no proxy lies between, and its certificate is mostly
            # self-signed, with nobody between who could forge it.
            handlers.append(urllib.request.ProxyHandler({}))
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, **query: Any) -> Json:
        """Return the answer to a GET.

        Parameters
        ----------
        path
            Below ``<base_url>mistudio/api/v1/``.
        **query
            Query string; None is left out.

        Raises
        ------
        ServerError
            If the server cannot be reached, does not let us in, or has no
            miStudio.
        MiStudioError
            The error that the server answered.
        """
        return self._request("GET", _with_query(path, query))

    def delete(self, path: str, **query: Any) -> Json:
        """Return the answer to a DELETE; arguments and errors as for :meth:`get`."""
        return self._request("DELETE", _with_query(path, query))

    def post(self, path: str, body: Json) -> Json:
        """Return the answer to a POST; sent again once if the connection breaks.

        Raises
        ------
        ServerError, MiStudioError
            As for :meth:`get`.
        """
        key = uuid.uuid4().hex
        try:
            return self._request("POST", path, body, key)
        except errors.ServerError as error:
            if error.code != "connection_lost":
                raise
            # The key makes the server answer what it answered, should it have begun already.
            return self._request("POST", path, body, key)

    def _request(self, method: str, path: str, body: Json | None = None, key: str = "") -> Json:
        headers = {"Accept": "application/json"}
        if self.address.token:
            headers["Authorization"] = f"token {self.address.token}"
        if key:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self.address.url + API + path, data=data, headers=headers, method=method
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                content, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            with error:
                raise self._error(error.read(), error.code) from None
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason) from error
        except TimeoutError as error:
            raise self._unreachable(f"no answer in {self._timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error, "connection_lost") from error
        return self._read(content, status)

    def _read(self, content: bytes, status: int) -> Json:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._refused(status)  # A login page.
        return answer

    def _error(self, content: bytes, status: int) -> errors.MiStudioError:
        """Return the error that an answer describes."""
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        # Jupyter Server's own answers have no code, or that of the status.
        if not isinstance(body, dict) or body.get("code", "http_").startswith("http_"):
            if status in (401, 403):
                return self._refused(status)
            if status == 404:
                return errors.ServerError(
                    f"The Jupyter server at {self.address.url} has no miStudio.",
                    code="extension_missing",
                    hint="Run 'jupyter server extension enable mistudio_ext' where the server "
                    "runs, and start it again.",
                )
            return errors.ServerError(
                f"The Jupyter server answered with status {status}.", code=f"http_{status}"
            )
        found = errors.from_dict(body)
        if type(found) is errors.MiStudioError and status in _KIND_BY_STATUS:
            found = errors.from_dict(body, _KIND_BY_STATUS[status])
        return found

    def _refused(self, status: int) -> errors.ServerError:
        return errors.ServerError(
            f"The Jupyter server at {self.address.url} does not let this kernel in ({status}).",
            code="not_authorized",
            hint="A server with a password alone gives kernels no token: set "
            "IdentityProvider.token too, or put one into $MISTUDIO_SERVER_TOKEN.",
        )

    def _unreachable(self, reason: object, code: str = "server_unreachable") -> errors.ServerError:
        return errors.ServerError(
            f"The Jupyter server at {self.address.url} cannot be reached: {reason}.",
            code=code,
            hint="Is it still running? An empty $MISTUDIO_SERVER_URL works without a server.",
        )


def _with_query(path: str, query: Json) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return path + (f"?{urllib.parse.urlencode(given, doseq=True)}" if given else "")
