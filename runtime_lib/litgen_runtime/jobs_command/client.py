"""A running service, as the command asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from litgen_runtime.errors import LitgenError

_TIMEOUT_S = 30.0
_PAGE = 100
_KEY = "This command takes the key from the variable LITGEN_API_KEY, or from the file that --key-file names."


class Refused(LitgenError):
    """The service did not do it: the message says why."""


class NotThere(Refused):
    """The service knows nothing of it, or not any more."""


class Client:
    """A service's jobs.

    Args:
        url: of the service, such as ``http://127.0.0.1:8000``.
        key: an API key; None: it asks for none.

    Raises:
        Refused: that is no such address.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise Refused(f"--url is {url!r}; expected the address of a service, such as http://127.0.0.1:8000.")
        self._url = url.rstrip("/")
        is_here = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        self._proxies: dict[str, str] | None = (
            {} if is_here else None
        )  # none of the environment's is to see the key of what is here
        self._headers = {"Accept": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job."""
        return self._document("GET", f"/v1/jobs/{quote(job_id, safe='')}")

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Wish a job's end; return the job."""
        return self._document("POST", f"/v1/jobs/{quote(job_id, safe='')}/cancel")

    def again(self, job_id: str) -> dict[str, Any]:
        """Submit a job again; return the new one."""
        return self._document("POST", f"/v1/jobs/{quote(job_id, safe='')}/retry")

    def deliveries(self, job_id: str) -> list[dict[str, Any]]:
        """Return the webhooks of a job, the earliest first."""
        found: list[dict[str, Any]] = self._document("GET", f"/v1/jobs/{quote(job_id, safe='')}/deliveries")[
            "deliveries"
        ]
        return found

    def redeliver(self, delivery_id: str) -> dict[str, Any]:
        """Have a webhook sent again; return it."""
        return self._document("POST", f"/v1/deliveries/{quote(delivery_id, safe='')}/redeliver")

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended.

        Raises:
            NotThere: there is no such job.
            Refused: it was not done.
        """
        self._ask("DELETE", f"/v1/jobs/{quote(job_id, safe='')}")

    def jobs(self, filters: Mapping[str, str | None], limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield jobs, the latest first.

        Args:
            filters: ``status`` and ``endpoint``; None for any.
            limit: how many at most; None: all.
        """
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            given = {"cursor": cursor, "limit": str(size), **filters}
            page = self._document("GET", f"/v1/jobs?{urlencode({k: v for k, v in given.items() if v is not None})}")
            yield from page["jobs"]
            left = None if left is None else left - len(page["jobs"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def backlog(self) -> dict[str, Any]:
        """Return what ``/health`` says of jobs; it needs no key."""
        health = self._document("GET", "/health")
        if "jobs" not in health:
            raise Refused(
                f"The service at {self._url} takes no jobs. Set jobs = true for an endpoint, or another --url."
            )
        found: dict[str, Any] = health["jobs"]
        return found

    def _document(self, method: str, path: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._ask(method, path))
        return document

    def _ask(self, method: str, path: str) -> bytes:
        import urllib.error  # now: a supervisor is started by the same command, and has no use for it
        import urllib.request

        request = urllib.request.Request(self._url + path, method=method, headers=self._headers)  # noqa: S310 - the caller's own choice, http or https

        class Straight(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                """Follow none: the key would go with it, whatever host it leads to."""

        try:
            asking = urllib.request.build_opener(urllib.request.ProxyHandler(self._proxies), Straight)
            with asking.open(request, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            kind = NotThere if error.code == HTTPStatus.NOT_FOUND else Refused
            advice = f" {_KEY}" if error.code == HTTPStatus.UNAUTHORIZED else ""
            raise kind(_words(error.code, error.read()) + advice) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise Refused(f"{self._url} does not answer: {reason}. Start the service, or give its --url.") from None


def _words(status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        return f"{status} {problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"The answer is {status}, and not from a litgen service. Check --url."
