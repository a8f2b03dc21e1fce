"""The allocator keeps the memory of a step for the next one. Standard library only: set before torch is imported."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""glibc's malloc.h."""


def keep_memory() -> None:
    """Tell malloc to give nothing back to the system and to map nothing by itself.

    Otherwise every large tensor of every step is mapped, zeroed by the kernel page by page, and unmapped. Where malloc
    is not glibc's nothing happens.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_MAX, 0)
