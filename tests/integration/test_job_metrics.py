"""What operators see of jobs: /metrics and /health (docs/jobs.md)."""

import resource
from pathlib import Path

import psutil

from tests.integration.jobs import accepted, ended, stands, submit
from tests.promtool import complaints
from tests.services import Running, act, assert_problem, config, eventually, serving, square


def _value(service: Running, sample: str) -> float:
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith(sample + " ")]
    assert len(lines) == 1, sample
    return float(lines[0].rpartition(" ")[2])


def test_metrics(tmp_path: Path) -> None:
    """Backlog, ends, attempts and acceptance by endpoint; promtool finds nothing."""
    with serving(config(tmp_path, {"act": act(jobs=True, repeatable=True)}, jobs={"max_attempts": 1})) as service:
        assert complaints(service.get("/metrics").text) == ""
        running = accepted(service, "/act", {"do": "sleep", "seconds": 3})
        assert stands(service, running, "running")
        waiting = [accepted(service, "/act", {"do": "raise"}) for _ in range(5)]
        assert eventually(lambda: _value(service, 'litgen_jobs_waiting_age_seconds{endpoint="act"}') > 1)
        assert _value(service, 'litgen_jobs_waiting{endpoint="act"}') in (4, 5), "one may wait with the worker"
        assert _value(service, 'litgen_jobs_waiting_bytes{endpoint="act"}') > 50
        assert service.get("/health").json()["jobs"]["endpoints"]["act"]["waiting"] in (4, 5)
        for job_id in (running, *waiting):
            ended(service, job_id)
        assert _value(service, 'litgen_jobs_waiting{endpoint="act"}') == 0
        assert _value(service, 'litgen_jobs_running{endpoint="act"}') == 0
        assert _value(service, 'litgen_jobs_ended_total{endpoint="act",status="failed"}') == 5
        assert _value(service, 'litgen_jobs_ended_total{endpoint="act",status="succeeded"}') == 1
        assert _value(service, 'litgen_job_attempts_total{endpoint="act"}') == 6
        assert _value(service, 'litgen_job_accept_duration_seconds_count{endpoint="act"}') == 6
        assert complaints(service.get("/metrics").text) == ""


def test_a_store_that_cannot_write(tmp_path: Path) -> None:
    """The service says so, takes calls and no jobs, and recovers unaided."""
    with serving(config(tmp_path, {"square": square(jobs=True)})) as service:
        first = accepted(service, "/square", {"x": 2})
        assert ended(service, first)["output"] == {"x": 4}
        http = psutil.Process(service.http_pid)
        http.rlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        assert_problem(submit(service, "/square", {"x": 3}), 503, "storage-full")
        health = service.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["jobs"]["trouble"]
        assert service.get("/readyz").status_code == 200
        assert _value(service, "litgen_job_store_writable") == 0
        assert _value(service, "litgen_job_store_write_failures_total") >= 1
        assert service.post("/square", {"x": 3}).json() == {"x": 9}
        assert service.get(f"/v1/jobs/{first}").json()["status"] == "succeeded", "what is there can be read"
        http.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert eventually(lambda: service.get("/health").json()["status"] == "ready")
        assert ended(service, accepted(service, "/square", {"x": 3}))["output"] == {"x": 9}
