"""The shape of service.toml. Unknown keys are refused; every key here acts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from litgen_runtime.settings.fields import (
    Auth,
    AutoTimeout,
    Bytes,
    Devices,
    EndpointName,
    Hosts,
    JobSeconds,
    KeySource,
    MediaType,
    Memory,
    Name,
    Ports,
    PositiveSeconds,
    Reference,
    Schedule,
    Seconds,
    SecretSource,
    StoreUrl,
    Threads,
    Timeout,
    UrlPath,
)

RESERVED_PATHS = (
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/shutdown",
    "/v1/jobs",
    "/v1/deliveries",
)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class ServiceSettings(_Table):
    """[service]: the door."""

    name: Name
    host: Annotated[str, Field(min_length=1, description='an address to listen on, such as "0.0.0.0"')] = "0.0.0.0"  # noqa: S104 - a service in a container has to be reached
    port: Annotated[int, Field(ge=0, le=65535, description="a port, 0 to 65535 (0: any free one)")] = 8000
    max_json_bytes: Bytes = 10_000_000
    max_upload_bytes: Bytes = 100_000_000
    max_connections: Annotated[
        int, Field(ge=1, le=1_000_000, description="a whole number of connections, 1 to 1000000")
    ] = 4096
    header_timeout_s: PositiveSeconds = 10.0
    body_timeout_s: PositiveSeconds = 30.0
    hang_timeout_s: Timeout = 30.0
    configure: Reference | None = Field(None, description='"package.module:callable", given the FastAPI app')


class WorkerSettings(_Table):
    """[endpoints.NAME.workers]: how many processes, and on what."""

    devices: Devices = "auto"
    per_device: Annotated[int, Field(ge=1, le=64, description="a whole number of workers, 1 to 64")] = 1
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="a share of the GPU's memory for each worker, more than 0, at most 1"
    )

    threads: Threads = "auto"
    min_ready: Annotated[int, Field(ge=1, le=4096, description="a whole number of workers, at least 1")] = 1
    max_restarts: Annotated[int, Field(ge=0, le=1000, description="a whole number of restarts, 0 to 1000")] = 3
    max_requests: Annotated[int, Field(ge=1, le=10**12)] | None = Field(
        default=None, description="a whole number of requests, at least 1, after which a worker is replaced"
    )
    max_memory: Memory | None = Field(
        default=None, description='a size of at least "1MB", such as "2GB", past which a worker is replaced'
    )

    @property
    def _known_devices(self) -> int | None:
        """How many devices these are, on whatever machine; None if that depends on it."""
        if self.devices in ("cpu", "mps"):
            return 1
        return self.devices.count(",") + 1 if ":" in self.devices else None

    @model_validator(mode="after")
    def _enough(self) -> WorkerSettings:
        devices = self._known_devices
        if devices is not None and self.min_ready > devices * self.per_device:
            raise _advice(
                "min_ready",
                self.min_ready,
                f"at most {devices * self.per_device}, the number of workers that devices and per_device give",
                "Lower it or raise per_device",
            )
        return self

    @model_validator(mode="after")
    def _share(self) -> WorkerSettings:
        if self.gpu_memory_fraction is None:
            return self
        if self.devices in ("cpu", "mps"):
            without = f'no such key with devices = "{self.devices}"'
            raise _advice("gpu_memory_fraction", self.gpu_memory_fraction, without, "Remove it")
        if self.gpu_memory_fraction * self.per_device > 1 + 1e-9:
            raise _advice(
                "gpu_memory_fraction",
                self.gpu_memory_fraction,
                f"at most {1 / self.per_device:.3g}, since {self.per_device} workers share each device",
                "Lower it or per_device",
            )
        return self


class BatchingSettings(_Table):
    """[endpoints.NAME.batching]: for a BatchEndpoint; absent, every batch holds one request."""

    max_size: Annotated[int, Field(ge=1, le=4096, description="a whole number of requests, 1 to 4096")] = 1
    max_wait_s: Annotated[
        float,
        Field(ge=0, le=60, allow_inf_nan=False, description="seconds that a request may wait for company, 0 to 60"),
    ] = 0.0
    max_weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="the most that weight() of a batch's requests may sum up to, more than 0"
    )


class StreamingSettings(_Table):
    """[endpoints.NAME.streaming]: for a StreamEndpoint, and only for one."""

    max_streams: Annotated[
        int, Field(ge=1, le=4096, description="a whole number of streams that one worker advances in turn, 1 to 4096")
    ] = 32
    keep_alive_s: Timeout = 15.0


class QueueSettings(_Table):
    """[endpoints.NAME.queue]: how much may wait."""

    max_size: Annotated[int, Field(ge=1, le=1_000_000, description="a whole number of requests, 1 to 1000000")] = 1024
    max_bytes: Bytes = 256_000_000


class EndpointSettings(_Table):
    """[endpoints.NAME]: one model behind one path."""

    handler: Reference
    request: Reference
    response: Reference
    path: UrlPath
    response_type: MediaType | None = Field(None, description='a media type in lower case, such as "image/png"')
    timeout_s: Timeout = 30.0
    queue_timeout_s: Timeout = None
    run_limit_s: AutoTimeout = "auto"
    kill_grace_s: Seconds = 2.0
    repeatable: Annotated[bool, Field(description="true or false")] = True
    jobs: Annotated[bool, Field(description="true or false")] = False
    sync_to_job_after_s: Timeout = None
    jobs_at_once: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="a whole number of jobs that run at the same time, 1 to 1000000"
    )
    jobs_per_minute: Annotated[float, Field(gt=0, le=10**7, allow_inf_nan=False)] | None = Field(
        None, description="how many jobs are accepted in a minute, more than 0, at most 10000000"
    )
    jobs_burst: Annotated[int, Field(ge=1, le=10**7)] | None = Field(
        None, description="a whole number of jobs that are accepted at once, 1 to 10000000"
    )
    idempotency_key: Annotated[
        Literal["optional", "required"], Field(description='"optional" or "required", of a job')
    ] = "optional"
    quarantine_s: Timeout = 600.0
    auth: Auth = None
    workers: WorkerSettings = WorkerSettings()
    batching: BatchingSettings | None = Field(None, description="a table with max_size, max_wait_s, max_weight")
    streaming: StreamingSettings | None = Field(None, description="a table with max_streams and keep_alive_s")
    queue: QueueSettings = QueueSettings()

    @property
    def run_limit(self) -> float:
        """How long one run may take, in seconds; ``inf`` without a limit."""
        limit_s = self.timeout_s if self.run_limit_s == "auto" else self.run_limit_s
        return float("inf") if limit_s is None else limit_s

    @property
    def burst(self) -> int:
        """How many jobs are accepted at once: as many as a minute brings unless it is given."""
        return self.jobs_burst or max(1, int(self.jobs_per_minute or 1))

    @property
    def at_once(self) -> int:
        """How many requests one worker runs together."""
        if self.streaming:
            return self.streaming.max_streams
        return self.batching.max_size if self.batching else 1

    @property
    def announces(self) -> bool:
        """Whether its workers say of each run that it begins: where the order of arrival does not tell."""
        return self.jobs or self.streaming is not None or (self.batching is not None and self.batching.max_size > 1)

    @model_validator(mode="after")
    def _kind(self) -> EndpointSettings:
        if self.jobs and self.streaming:
            raise _advice("jobs", True, "no such key beside streaming", "Remove one of the two")
        if self.batching and self.streaming:
            raise _advice("batching", "a table", "no such table beside streaming", "Remove one of the two")
        return self

    @model_validator(mode="after")
    def _of_jobs(self) -> EndpointSettings:
        for key in ("sync_to_job_after_s", "jobs_at_once", "jobs_per_minute", "jobs_burst", "idempotency_key"):
            value = getattr(self, key)
            if not self.jobs and value not in (None, "optional"):
                raise _advice(key, value, "no such key without jobs = true", "Set jobs = true, or remove it")
        if self.jobs_burst is not None and self.jobs_per_minute is None:
            raise _advice(
                "jobs_burst", self.jobs_burst, "no such key without jobs_per_minute", "Set that too, or remove it"
            )
        after_s, timeout_s = self.sync_to_job_after_s, self.timeout_s
        if after_s is not None and timeout_s is not None and after_s > timeout_s:
            expected = f"at most timeout_s ({timeout_s:g}), after which nobody waits"
            raise _advice("sync_to_job_after_s", after_s, expected, "Lower it or raise timeout_s")
        return self

    @model_validator(mode="after")
    def _window(self) -> EndpointSettings:
        if self.batching and self.timeout_s is not None and self.batching.max_wait_s >= self.timeout_s:
            raise _advice(
                "batching.max_wait_s",
                self.batching.max_wait_s,
                f"less than timeout_s ({self.timeout_s:g})",
                "Lower it or raise timeout_s",
            )
        return self


class ShutdownSettings(_Table):
    """[shutdown]: how the service ends."""

    drain_timeout_s: Seconds = 30.0
    delay_s: Seconds = 0.0
    api: Annotated[bool, Field(description="true or false")] = False


class JobsSettings(_Table):
    """[jobs]: work that is accepted now and done later, for endpoints with ``jobs = true``."""

    store: StoreUrl = "sqlite:///var/jobs.db"
    max_attempts: Annotated[int, Field(ge=1, le=100, description="a whole number of attempts, 1 to 100")] = 3
    max_waiting: Annotated[int, Field(ge=1, le=10**7, description="a whole number of jobs, 1 to 10000000")] = 100_000
    max_waiting_bytes: Memory = 1_000_000_000
    max_waiting_s: Timeout = 86_400.0
    keep_s: JobSeconds = 86_400.0
    remember_s: JobSeconds = 604_800.0

    @property
    def path(self) -> str:
        """The file of the store, as it is given."""
        return self.store.removeprefix("sqlite:///")


class WebhookSettings(_Table):
    """[webhooks]: telling others what becomes of jobs."""

    secrets: SecretSource = False
    allow_hosts: Hosts = ()
    allow_http: Annotated[bool, Field(description="true or false")] = False
    allow_private: Annotated[bool, Field(description="true or false")] = False
    ports: Ports = (443, 8443)
    timeout_s: PositiveSeconds = 20.0
    schedule_s: Schedule = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)


class AuthSettings(_Table):
    """[auth]: who may use the endpoints."""

    keys: KeySource = False


class Settings(_Table):
    """A whole service."""

    service: ServiceSettings
    endpoints: dict[EndpointName, EndpointSettings] = Field(
        min_length=1, description="at least one table [endpoints.NAME]"
    )
    shutdown: ShutdownSettings = ShutdownSettings()
    jobs: JobsSettings = JobsSettings()
    webhooks: WebhookSettings = WebhookSettings()
    auth: AuthSettings = AuthSettings()

    @model_validator(mode="after")
    def _guarded(self) -> Settings:
        for name, endpoint in self.endpoints.items():
            if endpoint.auth not in (None, False) and self.auth.keys is False:
                raise _advice(
                    f"endpoints.{name}.auth",
                    endpoint.auth,
                    "no such key while auth.keys names no keys",
                    "Set auth.keys, or remove it",
                )
        return self

    @model_validator(mode="after")
    def _paths(self) -> Settings:
        owners: dict[str, str] = {}
        for name, endpoint in self.endpoints.items():
            key, path = f"endpoints.{name}.path", endpoint.path
            reserved = any(path == taken or path.startswith(taken + "/") for taken in RESERVED_PATHS)
            if reserved:
                raise _advice(
                    key, path, "a path that the service does not use itself", 'Choose another, such as "/predict"'
                )
            if path in owners:
                raise _advice(key, path, f"a path of its own; endpoints.{owners[path]} has it", "Change one of them")
            owners[path] = name
        return self


def _advice(key: str, value: object, expected: str, fix: str) -> PydanticCustomError:
    """A cross-field error; ``load`` puts its key under the table it was raised for."""
    return PydanticCustomError("advice", "cross-field", {"key": key, "value": value, "expected": expected, "fix": fix})
