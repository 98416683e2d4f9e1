"""Receives the service's webhooks: verified, and each handled once, however often it comes.

WEBHOOK_SECRETS=whsec_... .venv/bin/python examples/receiver.py 9000
"""

import json
import os
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from litgen_runtime import WebhookRejected, verify_webhook

MOST_BYTES = 1_000_000  # of a webhook; whoever has no secret can send more


class Receiver(ThreadingHTTPServer):
    """Listens on this machine, with the service's secret; with two while one replaces the other."""

    def __init__(self, port: int, secrets: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.secrets = secrets
        self.handled: dict[str, Any] = {}  # in yours a table with a unique key, which lasts


class Handler(BaseHTTPRequestHandler):
    """Answers 204 soon, and does long work afterwards; what is not the service's is 401."""

    server: Receiver
    timeout = 20  # seconds in which nothing may come: anybody can connect

    def do_POST(self) -> None:
        """Handle one webhook."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))  # as it came, before anything parses it
        try:
            webhook_id = verify_webhook(dict(self.headers.items()), body, self.server.secrets)
        except WebhookRejected as error:
            self.log_error("refused: %s", error)
            self.send_response(401)
        else:
            job = json.loads(body)["data"]["job"]
            if self.server.handled.setdefault(webhook_id, job) is job:
                print(job["id"], "is", job["status"], flush=True)
            self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    secrets = os.environ["WEBHOOK_SECRETS"].replace(",", " ").split()
    Receiver(int(sys.argv[1]), secrets).serve_forever()
