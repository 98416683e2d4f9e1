"""Deleting jobs of a service that others use too."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from click.testing import CliRunner

from litgen_runtime.jobs_command.command import jobs


class Service(BaseHTTPRequestHandler):
    """Lists three jobs, of which somebody else has deleted the first by the time that it is asked to."""

    deleted: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """List them."""
        ids = ("job_1", "job_2", "job_3") if "status=failed" in self.path else ()
        listed = [{"id": job_id, "finished_at": "2026-11-21T20:00:00Z"} for job_id in ids]
        self._answer(200, {"jobs": listed, "next_cursor": None})

    def do_DELETE(self) -> None:
        """Delete one."""
        job_id = self.path.rpartition("/")[2]
        if job_id == "job_1":
            return self._answer(404, {"code": "not-found", "detail": "There is no job."})
        self.deleted.append(job_id)
        return self._answer(200, {})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_somebody_else_has_deleted() -> None:
    """It does not end the command; what was deleted by it is counted."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            arguments = ["purge", "--url", f"http://127.0.0.1:{server.server_port}", "--yes"]
            done = CliRunner().invoke(jobs, arguments)
        finally:
            server.shutdown()
            thread.join()
    assert (done.exit_code, done.output) == (0, "deleted 2 jobs\n")
    assert Service.deleted == ["job_2", "job_3"]
