"""`python -P -m trainers RUN_DIR`: train, evaluate and leave everything in the run folder.

The exit code repeats what `events.jsonl` says; see `Exit`. Signal handlers are set and the folder is locked before
torch is imported, which takes seconds: an order that comes meanwhile is not missed.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from lvmtui.formats.json_codec import encode_line, find_document
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import RunSpec
from lvmtui.formats.trainer_log import Exit, Failed
from lvmtui.system.files import append_line
from lvmtui.system.filesystem import try_lock
from lvmtui.system.process_id import host_name, own_launch
from lvmtui.system.text import sanitise
from trainers.orders import Orders
from trainers.process import keep_memory


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -P -m trainers RUN_DIR", file=sys.stderr)
        return Exit.USAGE
    folder = RunDir(Path(arguments[0]).resolve())
    if not folder.spec.exists():
        print(f"{folder.spec}: no such file; RUN_DIR is a folder that lvmtui planned", file=sys.stderr)
        return Exit.USAGE
    began = time.monotonic()
    orders = Orders(folder.intent)
    lock = try_lock(folder.lock)
    if lock is None:
        print(f"{folder.path}: another process trains this run; nothing was started", file=sys.stderr)
        return Exit.LOCKED
    with lock:
        keep_memory()
        spec = find_document(RunSpec, folder.spec)  # one that cannot be read is our trainer's to report
        if spec is not None and spec.own_trainer is not None:
            from trainers.program.run import train_with_program

            return train_with_program(folder, orders, began)
        try:
            from trainers.train import train
        except ImportError as error:
            # this Python lacks what training needs: another try would end the same way
            cure = f"install it for {sys.executable} on {host_name()}, or have another Python start the trainers"
            print(f"{error}; {cure}", file=sys.stderr)
            failed = Failed(time.time(), 0, "setup", sanitise(f"{error}; {cure}", 500), 0.0, None, own_launch())
            append_line(folder.events, encode_line(failed))
            return Exit.FAILED
        return train(folder, orders, began)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the disk is full; the code says so
            stream.flush()
    os._exit(code)  # everything is written and closed; unloading torch would keep the next run waiting
