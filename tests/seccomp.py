"""A kernel that refuses some system calls: what old kernels and the profiles of containers do."""

from __future__ import annotations

import ctypes
import struct

PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434
"""The same on x86-64 and arm64."""


def refuse(*calls: int, errno: int) -> None:
    """Let these system calls fail with `errno`, in this process and in all it starts from now on."""
    allow, refused = 0x7FFF0000, 0x00050000 | errno
    code = [(0x20, 0, 0, 0)]  # load the number of the call
    for index, call in enumerate(calls):
        code.append((0x15, len(calls) - index, 0, call))  # equal: jump to the last line
    code += [(0x06, 0, 0, allow), (0x06, 0, 0, refused)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    program = Program(len(code), ctypes.cast(filters, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(program), 0, 0)):  # no new privileges; the filter
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")
