"""How the benchmarks take their arguments: `--help` is the script's docstring."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser for the script with this docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def folder_and_options(arguments: list[str], doc: str | None) -> tuple[Path, list[str]]:
    """The folder that the first word names, or a new one, and the other words, which are for `lvmtui`."""
    if "--help" in arguments:
        parser_of(doc).parse_args(["--help"])
    if arguments and not arguments[0].startswith("-"):
        Path(arguments[0]).mkdir(parents=True, exist_ok=True)
        return Path(arguments[0]), arguments[1:]
    return Path(tempfile.mkdtemp()), arguments
