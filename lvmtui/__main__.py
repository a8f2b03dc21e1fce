"""The command `lvmtui`; as `python -m lvmtui` the program starts itself again as a supervisor or a worker."""

import sys


def main() -> int:
    """Run the command line. Ctrl-C while its modules are still being imported is no traceback either."""
    try:
        from lvmtui.cli.commands import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
