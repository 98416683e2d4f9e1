from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from litgen_runtime.worker.cuda import free_memory, is_broken, is_out_of_memory, says_broken, says_out_of_memory

ASSERT = (
    "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported at some other API "
    "call, so the stacktrace below might be incorrect."
)
FULL = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 23.99 GiB of which 3.5 GiB is free."
)


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


class AcceleratorError(RuntimeError):
    """As torch calls its own."""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("OutOfMemoryError", FULL),
        ("RuntimeError", FULL),
        ("RuntimeError", "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"),
        ("AcceleratorError", "CUDA error: out of memory"),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        ("RuntimeError", "MPS backend out of memory (MPS allocated: 9.00 GB)"),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes."),
        ("OutOfMemoryError", "Out of memory allocating 8,589,934,592 bytes"),
    ],
)
def test_out_of_memory(name: str, message: str) -> None:
    """A full device is known by what the frameworks say, and is no broken context."""
    assert says_out_of_memory(name, message)
    assert not says_broken(name, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RuntimeError", ASSERT),
        ("AcceleratorError", ASSERT),
        ("AcceleratorError", "CUDA error: an illegal memory access was encountered"),
        ("RuntimeError", "CUDA error: unspecified launch failure"),
        ("RuntimeError", "CUDA error: misaligned address"),
        ("RuntimeError", "HIP error: an illegal memory access was encountered"),
        ("CUDARuntimeError", "cudaErrorIllegalAddress: an illegal memory access was encountered"),
    ],
)
def test_broken(name: str, message: str) -> None:
    """After these nothing runs in the process any more."""
    assert says_broken(name, message)
    assert not says_out_of_memory(name, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ValueError", ASSERT),  # such as an owner's own, which quotes a request
        ("HTTPError", FULL),
        ("RuntimeError", f"cannot parse {ASSERT}"),
        ("RuntimeError", "CUDA error: invalid argument"),
        ("RuntimeError", "CUDA error: no kernel image is available for execution on the device"),
        ("RuntimeError", "CUDA error: invalid device ordinal"),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied"),
        ("MemoryError", ""),
    ],
)
def test_neither(name: str, message: str) -> None:
    """What a client can say, and errors after which the process goes on, are errors like any other."""
    assert not says_broken(name, message)
    assert not says_out_of_memory(name, message)


def test_torch_calls_them_so() -> None:
    """Where torch is installed, the names are its own."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    assert torch.OutOfMemoryError.__name__ == "OutOfMemoryError"
    assert torch.AcceleratorError.__name__ == "AcceleratorError"


def test_the_reason_behind_an_error() -> None:
    """An owner may wrap what torch raised."""

    def wrapped(reason: Exception) -> Exception:
        try:
            try:
                raise reason
            except RuntimeError as error:
                raise LookupError("no embedding") from error
        except LookupError as error:
            return error

    assert is_broken(wrapped(AcceleratorError(ASSERT)))
    assert is_out_of_memory(wrapped(OutOfMemoryError(FULL)))
    assert not is_broken(wrapped(RuntimeError("other")))


def test_errors_that_cannot_speak() -> None:
    """An error whose words raise is an error like any other, and so is one that is its own reason."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class RuntimeError_(RuntimeError):  # noqa: N801 - its name is set below
        def __str__(self) -> str:
            raise ValueError

    RuntimeError_.__name__ = "RuntimeError"
    looped = ValueError("x")
    looped.__cause__ = looped
    for error in (Mute(), RuntimeError_(), looped):
        assert not is_broken(error)
        assert not is_out_of_memory(error)


def test_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed run's frames hold is let go before torch's cache is emptied."""
    emptied = []

    class Tensor:
        def __del__(self) -> None:
            emptied.append("tensor")

    def predict() -> None:
        held = Tensor()
        raise OutOfMemoryError(f"{FULL} {id(held)}")

    monkeypatch.setitem(
        sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(empty_cache=lambda: emptied.append("cache")))
    )
    try:
        predict()
    except OutOfMemoryError as error:
        free_memory(error)
        assert emptied == ["tensor", "cache"]


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported for it."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    free_memory(RuntimeError())
    assert "torch" not in sys.modules
