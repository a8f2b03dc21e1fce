"""Did the kernel kill a process because memory ran out? Such a process cannot say so itself.

There are two sources. The kernel's log names the process, but users can rarely read it. The counter of our control
group can be read, but it only says that some process of the group was killed.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from lvmtui.system.hardware import control_groups
from lvmtui.system.process_id import Identity

_KILLED = re.compile(rb"(?:Killed process|task_memcg=.*?,pid=|oom-kill:.*?pid=)\s*(\d+)")


def counter() -> int | None:
    """Processes of our control group the kernel has killed for memory so far, None where it does not tell."""
    for group in control_groups("memory"):
        try:
            version2 = group / "memory.events"
            text = (version2 if version2.exists() else group / "memory.oom_control").read_text()
        except OSError:
            continue
        if found := re.search(r"^oom_kill (\d+)$", text, re.MULTILINE):
            return int(found[1])
    return None


def in_kernel_log(process: Identity, log: str = "/dev/kmsg") -> bool:
    """True if the kernel's log, as far as it reaches back, says that it killed this process for memory."""
    started = process.start_ticks / os.sysconf("SC_CLK_TCK")
    with suppress(OSError), open(os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", 0) as records:
        while True:
            try:
                record = records.read(8192)  # /dev/kmsg gives one record a read
            except BrokenPipeError:  # the oldest record was overwritten under us; the next read goes on
                continue
            if not record:
                return False
            if _seconds(record) >= started - 1 and any(int(n) == process.pid for n in _KILLED.findall(record)):
                return True
    return False


def _seconds(record: bytes) -> float:
    """When a record `level,number,microseconds,flags;text` was written, in seconds since the boot."""
    fields = record.partition(b";")[0].split(b",")
    return int(fields[2]) / 1e6 if len(fields) > 2 and fields[2].isdigit() else -1.0
