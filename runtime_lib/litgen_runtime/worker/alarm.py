"""Waking another thread a moment later, and mostly not at all: only when it goes off does it cost a thread switch.

On Linux this is a timer of the kernel's. Elsewhere the thread is woken at once, which is dearer and right too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Alarm:
    """Set by one thread, waited for by another.

    Args:
        after_s: how long after it is set it goes off, in seconds, less than 1.

    Source: timerfd_create(2).
    """

    def __init__(self, after_s: float) -> None:
        self._libc = ctypes.PyDLL(None)  # its calls take no time, so that the GIL is kept
        self._on = _TimerSpec(value=_TimeSpec(0, int(after_s * 1e9)))
        self._off = _TimerSpec()
        self._set_at: int | None = None
        if sys.platform == "linux":
            self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC)
            if self._fd < 0:
                raise OSError("timerfd_create failed: no descriptor is free for a worker's timer")
        else:
            self._fd, self._set_at = os.pipe()
            os.set_blocking(self._set_at, False)

    def set(self) -> None:
        """Let it go off."""
        if self._set_at is None:
            self._libc.timerfd_settime(self._fd, 0, ctypes.byref(self._on), None)
        else:
            with contextlib.suppress(BlockingIOError):  # it has gone off many times, and nobody has looked
                os.write(self._set_at, bytes(8))

    def clear(self) -> None:
        """Let it not go off, if it has not yet."""
        if self._set_at is None:
            self._libc.timerfd_settime(self._fd, 0, ctypes.byref(self._off), None)

    def wait(self) -> None:
        """Wait until it goes off."""
        os.read(self._fd, 8)
