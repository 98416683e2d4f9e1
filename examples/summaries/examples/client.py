"""Has a job done by the service, and waits for it. Programs that do so need litgen-runtime alone.

.venv/bin/python examples/client.py [URL]
"""

import os
import sys
from pathlib import Path
from uuid import uuid4

from litgen_runtime import Client
from litgen_runtime.client import ClientError


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Ask the service at an address; API_KEY is the key, if it wants one."""
    service = Client(url, os.environ.get("API_KEY"))
    service.wait_ready()
    job = service.submit(
        "/summarize",
        Path(__file__).read_bytes(),
        # The same key is the same job, also after a crash of this program: yours is kept with the order.
        key=f"example-{uuid4()}",
        webhook_url=os.environ.get("WEBHOOK_URL"),  # who is told, so that nobody has to wait
    )
    print(job.id, "is", service.wait(job.id).status)
    answer = service.result(job.id)
    print(len(answer.content), "bytes of", answer.headers["content-type"])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ClientError as error:  # no key, no answer, or the job has failed
        sys.exit(str(error))
