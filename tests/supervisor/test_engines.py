"""What an engine is to the rest of the program: one file, of which everything else learns by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmtui.cli.parser import build_parser
from lvmtui.planning.options import Options
from lvmtui.planning.read_options import Given, combine
from lvmtui.state.status import Phase
from lvmtui.supervisor import engines
from lvmtui.supervisor.engine import Engines, kind, names
from lvmtui.supervisor.results import Workers
from lvmtui.supervisor.supervisor import Supervisor
from lvmtui.system.errors import UserError
from tests.supervisor.world import QUICK, World, make_result

TOY = """
from lvmtui.supervisor.engine import EngineKind, Setting
from lvmtui.supervisor.engines.local import LocalEngine
from tests.supervisor.world import TRAINER

class Toy(LocalEngine):

    def start(self, place, spec):
        assert place.settings == {"colour": ("red",)}
        return super().start(place, spec)

KIND = EngineKind(make=lambda: Toy(TRAINER), settings=(Setting("colour", "NAME", "toy: its colour"),))
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A third engine, in a file that nobody was told of."""
    folder = tmp_path / "more_engines"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(folder)])
    yield


def test_the_engines_there_are() -> None:
    assert names() == ("local", "slurm")
    assert [kind(name).make().noun for name in names()] == ["process", "job"]
    with pytest.raises(UserError, match="did you mean 'slurm'"):
        kind("slrum")
    assert set(Engines()) == set(), "each is made when it is first asked for"


def test_a_third_engine_is_one_file(toy: None, world: World) -> None:
    given = build_parser().parse_args(["run", "--engine", "toy", "--colour", "red"])
    assert given.engine == "toy" and given.engine_option_colour == "red"
    options = combine(Options(), Given({"engine": {"name": "toy", "colour": "red"}}))
    world.supervisor = Supervisor(world.workspace, engines={}, workers=Workers(command=make_result), rules=QUICK)
    world.plan("amn", engine=options.engine, engine_settings=options.engine_settings)
    world.to_the_end()
    assert world.phase() is Phase.FINISHED and world.state().supervision.launched is not None
    assert world.state().supervision.launched.engine == "toy"  # type: ignore[union-attr]


def test_an_engine_of_a_later_version_is_left_alone(world: World) -> None:
    world.plan("amn", engine="cloud")
    for _ in range(3):
        world.supervisor.tick()
    assert world.state().supervision.launches == 0 and not world.processes()
