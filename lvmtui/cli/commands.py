"""Runs a command: finds its function, and turns what may go wrong into one line and an exit code.

Such a function takes the parsed options, calls the package that does the work, prints, and returns an exit code.
Results go to stdout, progress and remarks to stderr. Only the module of the command that was typed is loaded:
`lvmtui status` must answer at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from lvmtui.cli.parser import parse
from lvmtui.cli.shared import WIPE, ExitCode
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import SHARED_MARK

HANDLERS = {
    "screen": "screen:screen",
    "serve": "screen:serve",
    "supervise": "screen:supervise",
    "demo": "start:demo",
    "run": "start:run",
    "attach": "start:attach",
    "status": "status:status",
    "campaigns": "campaigns:campaigns",
    "report": "report:report",
    "tensorboard": "report:tensorboard",
    "pause": "orders:pause",
    "resume": "orders:resume",
    "cancel": "orders:cancel",
    "retry": "orders:retry",
    "queue": "orders:queue",
    "check": "files:check",
    "import": "files:import_runs",
    "embed": "embed:embed",
    "doctor": "doctor:doctor",
    "trainer": "trainer_test:trainer",
    "watch": "watch_logs:watch",
}
"""The commands by the names that `parser.py` gives them: module of this folder, and its function."""


def main(arguments: Sequence[str] | None = None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character gets a question mark
    given = parse(sys.argv[1:] if arguments is None else arguments)
    if hasattr(given, "poll"):
        os.environ[SHARED_MARK] = "1"  # for the processes started from here
    try:
        code = int(resolve_name(f"lvmtui.cli.{HANDLERS[given.command]}")(given))
        sys.stdout.flush()
        return code
    except UserError as error:
        _say_fault(str(error))
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("\nlvmtui: interrupted; runs that were started go on", file=sys.stderr)
        return ExitCode.LEFT
    except BrokenPipeError:  # `lvmtui status | head`
        _drop_output()
        return ExitCode.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        _say_fault(f"{where}{error.strerror or error}; make sure that it can be read and written")
        _drop_output()
        return ExitCode.USAGE


def _say_fault(words: str) -> None:
    """One line on stderr, in place of the progress that `announcer` shows there."""
    print(f"{WIPE if sys.stderr.isatty() else ''}lvmtui: {words}", file=sys.stderr)


def _drop_output() -> None:
    """Send what is still buffered to /dev/null. Otherwise Python would try again when it exits, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
