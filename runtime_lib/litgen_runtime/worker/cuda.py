"""What an accelerator's errors mean: told by the type's name and the message, without importing any framework.

A client must not be able to say such a thing through a model's own exceptions, so only the types that frameworks raise
count, and only where the message begins with it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

BROKEN_EXIT_CODE = 87  # a worker whose CUDA context is broken ends with it, so that the supervisor can say so

_TYPES = {"RuntimeError", "AcceleratorError", "OutOfMemoryError", "CUDARuntimeError", "XlaRuntimeError"}
_OUT_OF_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "HIP out of memory",
    "MPS backend out of memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cudaErrorMemoryAllocation:",
    "RESOURCE_EXHAUSTED:",
)
# After these every further call in the process fails: "the process must be terminated and relaunched".
# Source: CUDA Runtime API, cudaError (700, 702, 710, 714 to 719, 214, 226, 999), as cudaGetErrorString says them.
_STICKY = (
    ("an illegal memory access was encountered", "cudaErrorIllegalAddress"),
    ("the launch timed out and was terminated", "cudaErrorLaunchTimeout"),
    ("device-side assert triggered", "cudaErrorAssert"),
    ("hardware stack error", "cudaErrorHardwareStackError"),
    ("an illegal instruction was encountered", "cudaErrorIllegalInstruction"),
    ("misaligned address", "cudaErrorMisalignedAddress"),
    ("operation not supported on global/shared address space", "cudaErrorInvalidAddressSpace"),
    ("invalid program counter", "cudaErrorInvalidPc"),
    ("unspecified launch failure", "cudaErrorLaunchFailure"),
    ("uncorrectable ECC error encountered", "cudaErrorECCUncorrectable"),
    ("Invalid access of peer GPU memory over nvlink or a hardware error", "cudaErrorContained"),
    ("unknown error", "cudaErrorUnknown"),
)
_BROKEN = (
    *(f"{api} error: {words}" for words, _ in _STICKY for api in ("CUDA", "HIP")),
    *(f"{name}:" for _, name in _STICKY),
)
_MAX_CHAIN = 8


def says_out_of_memory(type_name: str, message: str) -> bool:
    """Whether such an error says that the device's memory is full: less work at once may fit."""
    return type_name == "OutOfMemoryError" or (type_name in _TYPES and message.startswith(_OUT_OF_MEMORY))


def says_broken(type_name: str, message: str) -> bool:
    """Whether such an error says that the CUDA context is broken: nothing can run in this process any more."""
    return type_name in _TYPES and message.startswith(_BROKEN)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that the device's memory is full."""
    return any(says_out_of_memory(*_words(failed)) for failed in _chain(error))


def is_broken(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that the CUDA context is broken."""
    return any(says_broken(*_words(failed)) for failed in _chain(error))


def free_memory(error: BaseException) -> None:
    """Give back the device memory that a failed run held: in the frames of its errors, and in torch's cache."""
    for failed in _chain(error):
        failed.__traceback__ = None
    gc.collect()
    torch = sys.modules.get("torch")
    for backend in ("cuda", "mps"):
        with contextlib.suppress(Exception):  # a context that breaks here shows itself in the next run
            getattr(torch, backend).empty_cache()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_MAX_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> tuple[str, str]:
    name = type(error).__name__
    try:
        return name, str(error) if name in _TYPES else ""
    except Exception:  # noqa: BLE001 - an owner's ``__str__`` may raise anything
        return name, ""
