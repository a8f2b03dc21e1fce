"""What the supervisor tells those who cannot look at a cluster themselves."""

from __future__ import annotations

from pathlib import Path

from lvmtui.formats.live import EngineAnswer, Job, Pulse, read_pulse, write_live
from lvmtui.state.liveness import PulseReader
from tests.supervisor.world import World


def test_it_names_the_runs_something_was_done_about(world: World) -> None:
    world.plan("amn", steps=20)
    world.to_the_end()
    pulse = read_pulse(world.workspace.pulse)
    assert pulse is not None and set(pulse.changed) >= {world.run("amn", "baseline").run}
    assert not pulse.jobs and not pulse.engines, "this machine's processes need no pulse"


def test_a_reader_is_told_each_change_once(tmp_path: Path) -> None:
    path = tmp_path / "pulse.json"
    reader = PulseReader(path)
    assert not reader.refresh() and reader.newest is None
    write_live(path, Pulse(1.0, 5, changed={"a": 4, "b": 5}))
    assert reader.refresh() == {"a", "b"}
    assert not reader.refresh()
    write_live(path, Pulse(2.0, 7, changed={"a": 7, "b": 5}))
    assert reader.refresh() == {"a"}


def test_its_words_are_sanitised_and_a_broken_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "pulse.json"
    job = Job("slurm", 1, True, "waits \x1b]0;title\x07[/nope]", "node\x1b[2J")
    write_live(path, Pulse(1.0, 1, {"slurm": EngineAnswer(1.0, "\x1b[31mfault")}, {"amn": job}))
    pulse = read_pulse(path)
    assert pulse is not None
    told = pulse.jobs["amn"].words + pulse.jobs["amn"].node + pulse.engines["slurm"].fault
    assert "\x1b" not in told and "\x07" not in told
    path.write_text("{")
    assert read_pulse(path) is None
