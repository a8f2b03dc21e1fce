"""`--help` of every command: a screen, with examples that work."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pkgutil import resolve_name

import pytest

from lvmtui.cli.commands import HANDLERS
from lvmtui.cli.help import COMMON, EVERYWHERE, EXAMPLES, OVERVIEW, ROOT, Parser
from lvmtui.cli.parser import build_parser, parse

SCREEN = 23
"""Lines of a terminal of 80 by 24 characters, less the prompt that comes after them."""
HIGH = {"run": 40}
"""Commands that are allowed more."""


def commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, Parser]]:
    """Every command with its parser, by what is typed after `lvmtui`; `lvmtui` itself first."""
    assert isinstance(parser, Parser)
    yield name or ROOT, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from commands(below, f"{name} {word}".strip())


COMMANDS = dict(commands(build_parser()))


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen_and_begins_with_examples(name: str) -> None:
    lines = COMMANDS[name].format_help().splitlines()
    assert len(lines) <= HIGH.get(name, SCREEN) and max(map(len, lines)) <= 80
    examples = EXAMPLES[name]
    assert len(examples) == 3
    first = next(number for number, line in enumerate(lines) if line.startswith("  ") and number)
    assert lines[first - 1] == ""
    for line, (typed, remark) in zip(lines[first:], examples, strict=False):
        assert line.startswith(f"  {typed}") and line.endswith(remark)
    assert all(line and not line.startswith(" ") for line in lines[: first - 1] if line)  # usage and description only


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_of_their_command_and_parse(name: str) -> None:
    for typed, _ in EXAMPLES[name]:
        program, *arguments = shlex.split(typed)
        assert program == ROOT and (name == ROOT or typed.startswith(f"lvmtui {name}"))
        if arguments[-1:] != ["--help"]:
            parse(arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_all_shows_every_option_in_groups(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*shlex.split(name)[name == ROOT :], "--help-all"])
    shown = capsys.readouterr().out
    assert not ended.value.code
    for action in COMMANDS[name]._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            assert action.option_strings[-1].removeprefix("--no-") in shown.replace("--[no-]", "")
    assert shown.index(f"{EVERYWHERE}:") > shown.rindex("\n\n", 0, -10)  # what all commands have comes last


def test_every_command_is_in_the_overview_once() -> None:
    named = [word for words, _ in OVERVIEW for word in words.split(", ")]
    assert sorted([*named, "supervise"]) == sorted(name for name in COMMANDS if name != ROOT and " " not in name)


def test_what_is_called_common_exists() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()
    for name, common in COMMON.items():
        assert set(common) <= {action.dest for action in COMMANDS[name]._actions}


def test_every_command_has_what_carries_it_out() -> None:
    assert HANDLERS.keys() == {parser.get_default("command") for parser in COMMANDS.values()} - {None}
    assert all(callable(resolve_name(f"lvmtui.cli.{where}")) for where in HANDLERS.values())


def test_a_word_that_is_none_of_the_choices_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["report", "--format", "mdd"])
    assert ended.value.code == 2 and "lvmtui: --format 'mdd' is not known" in capsys.readouterr().err


LISTS = [
    ("run --on-event a b --on-event c", "on_event", ["a", "b", "c"]),
    ("run --models gru --plan --models amn", "models", ["gru", "amn"]),
    ("run --labels a b --labels c d", "labels", ["a", "b", "c", "d"]),
    ("run --add-sizes 5k --add-sizes 10k", "add_sizes", ["5k", "10k"]),
    ("queue --first a --first b", "first", ["a", "b"]),
    ("import folder --context 5 --context 6", "context", ["5", "6"]),
]


@pytest.mark.parametrize(("typed", "name", "values"), LISTS)
def test_a_list_that_is_given_twice_is_one_list(typed: str, name: str, values: list[str]) -> None:
    assert getattr(parse(typed.split()), name) == values


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_with_several_values_drops_those_given_before(name: str) -> None:
    """What argparse does by itself."""
    several = [a for a in COMMANDS[name]._actions if a.option_strings and a.nargs not in (None, 0, "?")]
    drops = [action.dest for action in several if not isinstance(action, argparse._ExtendAction)]
    assert not drops


def test_the_context_of_one_is_not_said_to_be_compared() -> None:
    for name in ("check", "import"):
        (context,) = (action for action in COMMANDS[name]._actions if action.dest == "context")
        assert context.help == "vectors in a context; default: 5"
        assert context.nargs == 1 and context.metavar == "N", "no `N...`"
