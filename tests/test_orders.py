"""Orders: which runs are meant, what makes sense for them, and what is written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from lvmtui import orders
from lvmtui.cli.commands import main
from lvmtui.formats.campaign import Campaign, read_campaign_intent
from lvmtui.formats.intent import Intent, Want, read_intent, write_intent
from lvmtui.formats.json_codec import find_document, write_document
from lvmtui.formats.paths import Workspace
from lvmtui.formats.spec import ARMS
from lvmtui.formats.started_with import StartedWith
from lvmtui.formats.user_code import OwnModel, UserCode
from lvmtui.state.campaign_reader import CampaignReader, CampaignState, RunView
from lvmtui.state.status import PHASES, Order, Phase, Status
from lvmtui.supervisor.engine import kind
from lvmtui.system import permissions as owners
from lvmtui.system.errors import UserError
from lvmtui.system.permissions import who
from lvmtui.ui.draw.keys import ORDER_KEYS, order_words
from tests.factory import State, bring_to, make_campaign
from tests.verdict.series import BEGAN


class Bench:
    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.campaign: Campaign = make_campaign(self.workspace, models=("amn", "gru"), seeds=(1, 2))

    @property
    def state(self) -> CampaignState:
        return CampaignReader(self.workspace, self.workspace.campaign(self.campaign.id)).refresh()

    def select(self, *names: str) -> list[RunView]:
        return orders.select(self.state, names)

    def bring(self, state: State) -> list[RunView]:
        """The one run of `amn/8k/1`, in that state."""
        bring_to(self.workspace, self.campaign, "amn", "baseline", 1, state=state)
        return self.select("amn/8k/1")

    def intent(self) -> Intent:
        return read_intent(self.select("amn/8k/1")[0].folder.intent)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# Which runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["all"], 8),
        (["gru"], 4),
        (["gru/baseline"], 2),
        (["gru/23k"], 2),
        (["gru/large", "amn/small/2"], 3),
        (["GRU/23K"], 2),
        (["gru/23k/2"], 1),
        (["AMN/8k"], 2),
        (["amn", "amn/8k"], 4),
        (["amn_8k_s2_20261122_134500"], 1),
        (["amn_8k_s2_20261122_134500/"], 1),
        (["artifacts/lvm/models/amn_8k_s2_20261122_134500/"], 1),
    ],
)
def test_names_of_runs(bench: Bench, names: list[str], expected: int) -> None:
    found = bench.select(*names)
    assert len(found) == expected == len({view.planned.run for view in found})


def test_runs_come_in_the_order_of_the_names(bench: Bench) -> None:
    found = [view.planned.model for view in bench.select("gru/8k/1", "amn/8k/1")]
    assert found == ["gru", "amn"]


@pytest.mark.parametrize(
    ("name", "expected"), [("gru", 4), ("gru@5", 2), ("mine", 4), ("Mixer", 4), ("mixer@20/8k", 1), ("MIXER/8k", 2)]
)
def test_of_several_contexts_a_model_alone_means_all(tmp_path: Path, name: str, expected: int) -> None:
    campaign = make_campaign(tmp_path, models=("gru@5", "gru@20", "mine@5", "mine@20"))
    state = CampaignReader(Workspace(tmp_path), Workspace(tmp_path).campaign(campaign.id)).refresh()
    state = replace(state, campaign=replace(campaign, titles={"mine": "Mixer"}))
    assert len(orders.select(state, [name])) == expected


@pytest.mark.parametrize(
    ("name", "hint"), [("gur", "did you mean 'gru'"), ("gru/80k", "did you mean 'gru/8k'"), ("transformer", "known: ")]
)
def test_a_name_that_means_nothing(bench: Bench, name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        bench.select(name)


# What makes sense -----------------------------------------------------------------------------------------------------

OVER = {"cancelled", "failed", "gave up", "diverged", "collapsed", "finished"}
SENSE: dict[str, tuple[Callable[[list[RunView]], list[str]], set[str]]] = {
    "pause": (orders.pause, set(get_args(State)) - OVER - {"pausing", "paused", "cancelling"}),
    "resume": (orders.resume, {"pausing", "paused"}),
    "cancel": (orders.cancel, set(get_args(State)) - OVER - {"cancelling"}),
    "kill": (lambda views: orders.cancel(views, force=True), set(get_args(State)) - OVER),
    "retry": (
        orders.retry,
        {"stalled", "cancelled", "interrupted", "restarted", "killed", "no space", "failed", "gave up", "diverged"},
    ),
    "start over": (
        lambda views: orders.retry(views, from_start=True),
        {"paused", "resumed", "stalled", "cancelled", "interrupted", "restarted", "killed", "no space",
         "failed", "gave up", "diverged"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("order", SENSE)
def test_an_order_is_written_where_it_makes_sense_and_refused_with_words_where_not(
    bench: Bench, order: str, state: State
) -> None:
    give, sensible = SENSE[order]
    views = bench.bring(state)
    before = bench.intent()
    if state in sensible:
        (line,) = give(views)
        assert views[0].planned.run in line and "skipped" not in line
        assert bench.intent().generation == before.generation + 1
    else:
        with pytest.raises(UserError, match=views[0].planned.run):
            give(views)
        assert bench.intent() == before


def test_of_many_those_that_make_no_sense_are_skipped_and_said_a_line_a_reason(bench: Bench) -> None:
    bench.bring("finished")
    lines = orders.pause(bench.select("amn"))
    assert len(lines) == 4 and lines[-1].endswith(": skipped, it has finished")
    assert bench.intent() == Intent()
    with pytest.raises(UserError, match="has finished; a new campaign trains it again"):
        orders.retry(bench.select(bench.campaign.runs[0].run))
    again = orders.pause(bench.select("amn"))
    assert len(again) == 2 and "3 runs: skipped, each is paused already" in again


def test_what_is_written(bench: Bench) -> None:
    orders.retry(bench.bring("diverged"), from_start=True)
    intent = bench.intent()
    assert (intent.want, intent.force) == ("run", False)
    assert intent.restart == intent.generation == 1
    (line,) = orders.cancel(bench.select("amn/8k/1"), force=True)
    assert line.endswith(": is cancelled"), "it had no process"
    intent = bench.intent()
    assert (intent.want, intent.generation, intent.force) == ("cancel", 2, True)
    assert intent.by == who() and "@" in intent.by
    (line,) = orders.cancel(bench.bring("unknown"), force=True)
    assert line.endswith(": is killed"), "it may have one"


@pytest.mark.parametrize("give", [orders.pause, orders.resume])
def test_a_cancel_is_not_overridden(bench: Bench, give: Callable[[list[RunView]], list[str]]) -> None:
    orders.cancel(bench.select("amn/8k/1"))
    with pytest.raises(UserError, match="is being cancelled; once it has ended, 'lvmtui retry'"):
        give(bench.select("amn/8k/1"))
    with pytest.raises(UserError, match="is being cancelled"):
        give(bench.bring("unknown"))
    assert bench.intent().want == "cancel"


@pytest.mark.parametrize("wanted", ["run", "pause", "cancel"])
@pytest.mark.parametrize("phase", Phase)
def test_the_screen_offers_the_keys_of_the_orders_that_are_allowed(bench: Bench, phase: Phase, wanted: Want) -> None:
    (view,) = bench.select("amn/8k/1")
    assert view.state is not None
    begun = replace(view.state.trainer, starts=(BEGAN,))
    state = replace(view.state, intent=replace(view.state.intent, want=wanted), trainer=begun)
    view = replace(view, state=state, status=Status(phase, "runs on node17"))
    allowed = orders.allowed(view)
    assert set(allowed) <= set(PHASES[phase].orders)
    assert not {"pause", "resume"} <= set(allowed), "p means one of them"
    offered = {key for key, action in zip("pxXr", ORDER_KEYS, strict=True) if order_words(action, allowed)}
    means = {"pause": "p", "resume": "p", "cancel": "x", "kill": "X", "retry": "r", "restart": "r"}
    expected = {means[order] for order in allowed}
    assert offered == (expected - {"X"} if "x" in expected else expected), "x asks first, and X does not wait for it"
    for order in get_args(Order):
        assert bool(orders.why_not(order, view)) == (order not in allowed)
    if wanted == "run":
        assert set(allowed) == set(PHASES[phase].orders) - {"resume", "suspend"}
    assert not any(order_words(action, ()) for action in ORDER_KEYS)


@pytest.mark.parametrize("state", ["failed", "gave up", "diverged", "no space"])
def test_a_failure_stays_forgiven_when_what_is_to_be_tried_again_is_paused_first(bench: Bench, state: State) -> None:
    bench.bring(state)
    name = bench.select("amn/8k/1")
    orders.retry(name)
    orders.pause(bench.select("amn/8k/1"))
    assert bench.select("amn/8k/1")[0].status.phase is Phase.PAUSED
    orders.resume(bench.select("amn/8k/1"))
    assert bench.select("amn/8k/1")[0].status.phase in (Phase.QUEUED, Phase.INTERRUPTED)


def test_a_run_of_another_host_is_not_retried_from_here(bench: Bench) -> None:
    with pytest.raises(UserError, match="node17"):
        orders.retry(bench.bring("unknown"))


def test_what_hangs_may_be_retried_once_it_is_called_stalled(bench: Bench) -> None:
    (view,) = bench.bring("running")
    hangs = replace(view, status=replace(view.status, no_step=156.0))
    with pytest.raises(
        UserError, match=r"is alive; pause or cancel it first, or wait until it is called stalled \(no st"
    ):
        orders.retry([hangs])
    with pytest.raises(UserError, match=r"is alive; pause or cancel it first$"):
        orders.retry([view])


def test_runs_that_were_trained_before_take_no_orders(bench: Bench) -> None:
    (view,) = bench.select("amn/8k/1")
    earlier = replace(view, planned=replace(view.planned, trained_here=False))
    for give, _ in SENSE.values():
        with pytest.raises(UserError, match="trained before"):
            give([earlier])


def test_one_unknown_name_among_several_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.workspace.root)
    assert main(["cancel", "amn", "gur"]) == 2
    assert "lvmtui: nothing was changed: run 'gur' is not known; did you mean 'gru'?" in capsys.readouterr().err
    assert main(["queue", "--jobs", "3", "--first", "gur"]) == 2
    assert not bench.workspace.campaign(bench.campaign.id).intent.exists(), "--jobs was written before"


# The queue ------------------------------------------------------------------------------------------------------------


def test_jobs_and_order(bench: Bench) -> None:
    path = bench.workspace.campaign(bench.campaign.id).intent
    assert "3 side by side" in orders.set_jobs(bench.state, 3)
    orders.set_order(bench.state, bench.select("gru/23k/2", "gru/8k/1"))
    orders.set_order(bench.state, bench.select("amn/23k/1"))
    intent = read_campaign_intent(path)
    assert intent.jobs == 3 and intent.generation == 3
    names = [name.removesuffix("_20261122_134500") for name in intent.order]
    assert names == ["amn_23k_s1", "gru_23k_s2", "gru_8k_s1"]
    with pytest.raises(UserError, match="--jobs 0"):
        orders.set_jobs(bench.state, 0)


def test_fewer_side_by_side_than_are_at_work_is_for_the_next_ones(bench: Bench) -> None:
    for arm in ARMS:
        bring_to(bench.workspace, bench.campaign, "amn", arm, 1, state="running")
    assert orders.set_jobs(bench.state, 2).endswith("up to 2 side by side")
    assert "; the 2 at work go on, the next starts when 2 of them have ended" in orders.set_jobs(bench.state, 1)


@pytest.mark.parametrize("give", [orders.pause, orders.cancel])
def test_what_waits_is_halted_before_a_place_gets_free(
    bench: Bench, give: Callable[[Sequence[RunView]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a queued run is started in the place of one that has left, and told to leave only then."""
    bench.bring("running")
    written: list[str] = []
    monkeypatch.setattr(orders, "write_intent", lambda path, *_, **__: written.append(path.parent.name))
    give(bench.select("all"))
    assert len(written) == 8 and written[-1].startswith("amn_8k_s1"), "it runs, so its order comes last"


def test_what_is_over_has_no_place_in_the_queue(bench: Bench) -> None:
    over = bench.bring("finished")
    with pytest.raises(UserError, match="amn_8k_s1_20261122_134500 has finished; only runs that are not over"):
        orders.set_order(bench.state, over)
    told = orders.set_order(bench.state, bench.select("amn/8k"))
    assert "amn_8k_s2" in told and "amn_8k_s1" not in told


@pytest.mark.parametrize(
    ("state", "from_start", "words"),
    [("gave up", False, "the start"), ("diverged", False, "its last checkpoint"), ("diverged", True, "the start")],
)
def test_a_retry_says_where_it_begins(bench: Bench, state: State, from_start: bool, words: str) -> None:
    (told,) = orders.retry(bench.bring(state), from_start=from_start)
    assert told.endswith(f"is tried again from {words}")


def test_a_retry_of_ones_own_model_says_that_it_runs_the_copy(bench: Bench) -> None:
    (view,) = bench.bring("gave up")
    assert view.state is not None
    model = OwnModel("Mixer", UserCode("own/mixer", "mixer", "Mixer", "digest", "mixer.py:Mixer"))
    spec = replace(view.state.spec, own_model=model)
    (told,) = orders.retry([replace(view, state=replace(view.state, spec=spec))])
    assert told.endswith("with the mixer.py:Mixer that was copied; a new one needs a new campaign")


# Whose orders count ---------------------------------------------------------------------------------------------------

STRANGER = 54321
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for other users")


def test_the_owners_and_the_groups_where_the_mode_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, group = tmp_path.stat().st_uid, tmp_path.stat().st_gid
    monkeypatch.setattr(owners, "_groups_of", lambda uid: [group] if uid == 7 else [])
    tmp_path.chmod(0o755)
    assert owners.may_order(owner, tmp_path) and owners.may_order(0, tmp_path)
    assert not owners.may_order(7, tmp_path) and not owners.may_order(STRANGER, tmp_path)
    tmp_path.chmod(0o775)
    assert owners.may_order(7, tmp_path) and not owners.may_order(STRANGER, tmp_path)
    tmp_path.chmod(0o777 | stat.S_ISVTX)
    assert not owners.may_order(STRANGER, tmp_path)  # who may write is not by that who may order


@root_only
def test_a_strangers_order_changes_nothing(bench: Bench) -> None:
    (view,) = bench.select("amn/8k/1")
    path = view.folder.intent
    orders.pause([view])
    before = bench.intent()
    write_intent(path, "cancel", by="stranger")
    os.chown(path, STRANGER, STRANGER)
    assert read_intent(path) == Intent()
    assert read_intent(path, before) == before
    with pytest.raises(owners.StrangersOrder, match=f"user {STRANGER}"):
        owners.read_order(path)
    write_intent(path, "pause", by="owner")  # generations only grow, whoever wrote
    assert read_intent(path).generation == 3


@root_only
def test_who_may_not_order_is_told_before_anything_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    with pytest.raises(UserError, match="orders are taken from root"):
        orders.pause(bench.select("amn/8k/1"))
    assert not bench.select("amn/8k/1")[0].folder.intent.exists()


def test_an_order_that_cannot_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    views = bench.select("amn/8k/1")
    views[0].folder.spec.unlink()
    views[0].folder.path.rmdir()
    with pytest.raises(UserError, match="cannot be written"):
        orders.pause(views)


def test_an_order_that_changes_nothing_starts_no_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Workspace] = []
    monkeypatch.setattr("lvmtui.cli.orders.ensure_supervisor", started.append)
    workspace = Workspace(tmp_path)
    campaign = make_campaign(workspace, models=("amn",))
    for arm in ARMS:
        bring_to(workspace, campaign, "amn", arm, state="finished")
    report = workspace.campaign(campaign.id).report
    report.write_text("written\n")
    given = ["pause", "all", "--workspace", str(tmp_path)]
    assert main(given) == 0 and not started
    other = make_campaign(workspace, models=("gru",), stamp="20261123_000000")
    bring_to(workspace, other, "gru", "baseline", state="paused")
    assert main(["resume", "gru/8k", "--workspace", str(tmp_path)]) == 0 and started == [workspace]


def test_a_retry_keeps_the_path_on_which_the_cluster_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / kind("slurm").program
    program.touch(0o755)
    workspace = Workspace(tmp_path / "work")
    campaign = make_campaign(workspace, models=("amn",), engine="slurm")
    bring_to(workspace, campaign, "amn", "baseline", state="cancelled")
    folder = workspace.campaign(campaign.id)
    view = CampaignReader(workspace, folder).refresh().runs[0]
    write_document(folder.started_with, StartedWith(sys.executable, {"PATH": str(tmp_path), "TZ": "UTC"}))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("TZ", "CET")
    _, kept, changed = orders.retry([view])
    assert "PATH stays as it was, as this shell's has no sbatch" in kept
    assert "TZ=CET" in changed and " PATH" not in changed
    stored = find_document(StartedWith, folder.started_with)
    assert stored is not None and (stored.variables["PATH"], stored.variables["TZ"]) == (str(tmp_path), "CET")
    program.unlink()  # then neither is right, and this shell's is taken
    bring_to(workspace, campaign, "amn", "baseline", state="cancelled")
    _, changed = orders.retry([CampaignReader(workspace, folder).refresh().runs[0]])
    assert " PATH" in changed
