"""One line of help for each question: what the wizard, `--help`, copier and the JSON Schema say.

Apart from the model because `litgen --help` must not import pydantic.
"""

SERVICE = {
    "service_name": "Name of the service: its folder, its command and its package.",
    "description": "What the service does, in one line.",
    "endpoints": "The endpoints: a list, one mapping each.",
    "api_keys": "Ask clients for a key, from API_KEYS, on every endpoint.",
    "webhooks": "Tell others by webhook what becomes of jobs, signed with secrets from WEBHOOK_SECRETS.",
    "shutdown_api": "Offer POST /shutdown, guarded by a key, to drain and stop the service over HTTP.",
    "drain_timeout_s": "Seconds that running requests get to finish when the service stops.",
    "python_version": "Python of the image and of CI, and the oldest that installs the service: 3.11 to 3.14.",
    "deployment": "Deployment files: kubernetes (manifests, Dockerfile, compose), docker, or none.",
    "ci": "Continuous integration workflow: github or none.",
}
"""Questions about the service as a whole, in the order in which they are asked."""

ENDPOINT = {
    "name": "Name of the endpoint, such as embed: its folder and its class.",
    "path": "URL path that it answers; /NAME unless given.",
    "kind": "batch: predict gets a list of requests; single: one; stream: one, answered in pieces.",
    "input": "What a request holds: json, bytes (of any media type) or upload (a form with files).",
    "output": "What an answer holds: json or bytes, such as a picture.",
    "response_type": "Media type of an answer in bytes, such as image/png.",
    "framework": "Framework of the starting model: torch or plain python.",
    "devices": "Where its workers run: auto, cpu, mps (Apple), cuda (all GPUs) or cuda:0,2.",
    "workers_per_device": "Worker processes on each device, each with its own copy of the model.",
    "gpu_memory_fraction": "Share of a GPU's memory that a worker may take, such as 0.5; null for no limit.",
    "max_batch_size": "Most requests in one batch.",
    "max_wait_s": "Seconds a batch waits for company while the device is free.",
    "max_streams": "Streams that one worker advances in turn.",
    "timeout_s": "Seconds from a request's arrival to its answer; false or -1 for no limit.",
    "run_limit_s": "Seconds one run may take before it is stopped; null for as many as timeout_s, false for no limit.",
    "queue_max_size": "Most requests that wait; one more is answered 503 at once.",
    "jobs": "Take requests as jobs too, done later and never lost: Prefer: respond-async.",
}
"""Questions about each endpoint, in the order in which they are asked."""
