"""A client of services made with litgen, for the programs that use them. Python's own modules, and nothing else."""

from litgen_runtime.client.client import Client
from litgen_runtime.client.errors import ClientError, NotInTime, Refused, Unreachable
from litgen_runtime.client.replies import Answer, Job

__all__ = ["Answer", "Client", "ClientError", "Job", "NotInTime", "Refused", "Unreachable"]
