"""What has become of jobs, counted as it happens; ``http/job_metrics.py`` turns it into Prometheus' format."""

from __future__ import annotations

from collections import Counter, defaultdict

from litgen_runtime.dispatcher.stats import Histogram
from litgen_runtime.jobs.record import Job, Status


class JobStats:
    """Counts since the process started."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()  # by endpoint
        self.from_calls: Counter[str] = Counter()  # by endpoint: jobs that began as calls
        self.ended: Counter[tuple[str, Status]] = Counter()  # by endpoint and state
        self.accept_s: defaultdict[str, Histogram] = defaultdict(Histogram)  # by endpoint

    def changed(self, job: Job) -> None:
        """A job stands elsewhere now."""
        if job.is_terminal:
            self.ended[job.endpoint, job.status] += 1
        elif job.status is Status.RUNNING and job.cancel_requested_at is None:
            self.attempts[job.endpoint] += 1
