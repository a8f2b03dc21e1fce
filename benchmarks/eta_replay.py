"""How right the estimates of time are: recorded or simulated campaigns, replayed, each estimate held against the end.

    python benchmarks/eta_replay.py simulate                  60 seeded campaigns on a busy machine
    python benchmarks/eta_replay.py replay WORKSPACE...       every finished campaign there, from its events
    python benchmarks/eta_replay.py record WORKSPACE OUT      sample the live digits of the newest campaign as it runs
    python benchmarks/eta_replay.py replay WORKSPACE --digits OUT

Truth is the time of work that was still to come: for a run without its pauses, for a campaign until its last run
ended. The error is that of the time left, in percent of the time left, at moments evenly spread over a run's (or the
campaign's) duration from a quarter of it on, up to the last second.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from command_line import parser_of
from recorded import Recorded, read_recorded
from simulated import simulated

from lvmtui.estimate.eta import Eta, campaign_eta
from lvmtui.formats.json_codec import dump_line, encode
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import CampaignReader, newest_campaign

LOOKS = 24
"""Moments of a run, or of a campaign, at which the estimate is taken."""
LAST = 1.0
"""Seconds of time left under which nobody plans."""


@dataclass(frozen=True)
class Look:
    """An estimate beside what came."""

    what: str
    """`run`, `queued run`, `campaign`."""
    share: float
    """Share of its time that had passed."""
    eta: Eta | None
    truth: float

    @property
    def error(self) -> float:
        """In percent of the truth; a missing estimate counts as a wholly wrong one."""
        return 100.0 if self.eta is None else 100 * abs(self.eta.seconds / self.truth - 1)

    @property
    def bias(self) -> float:
        return 0.0 if self.eta is None else math.log(max(self.eta.seconds, 0.1) / self.truth)

    @property
    def inside(self) -> bool:
        return self.eta is not None and self.eta.low <= self.truth <= self.eta.high


def looks_at(recorded: Recorded, looks: int = LOOKS) -> Iterator[Look]:
    """All looks at a campaign: so many a run, and twice as many at the whole."""
    for name, history in recorded.runs.items():
        if history.finished is None:
            continue
        lives = history.lives()
        total = sum(end - begin for begin, end in lives)
        for i in range(looks):
            share = (i + 0.5) / looks
            now = _moment(lives, share * total)
            truth = history.work_after(now)
            if truth >= LAST:
                yield Look("run", share, campaign_eta(recorded.state_at(now), now).runs[name].eta, truth)
    began, ended = recorded.began, recorded.ended
    for i in range(2 * looks):
        share = (i + 0.5) / (2 * looks)
        now = began + share * (ended - began)
        found = campaign_eta(recorded.state_at(now), now)
        if found.left_out:  # a paused run: the estimate says that it leaves it out
            continue
        if ended - now >= LAST:
            yield Look("campaign", share, found.eta, ended - now)
        for name, eta in found.runs.items():
            lives = recorded.runs[name].lives()
            if lives[0][0] > now and recorded.runs[name].finished is not None:
                truth = sum(end - begin for begin, end in lives)
                yield Look("queued run: duration", share, eta.eta, truth)
                if lives[0][0] - now >= LAST:
                    yield Look("queued run: start", share, eta.start_in, lives[0][0] - now)


def _moment(lives: list[tuple[float, float]], worked: float) -> float:
    """When so many seconds of work were done."""
    for begin, end in lives:
        if worked <= end - begin:
            return begin + worked
        worked -= end - begin
    return lives[-1][1]


def table(looks: Iterable[Look]) -> str:
    """Figures beside the goals."""
    found = list(looks)
    goals = {("run", 0.25): 10, ("run", 0.5): 10, ("campaign", 0.25): 25, ("campaign", 0.5): 10}
    lines = [f"{'':28}{'looks':>7}{'shown':>7}{'median error':>14}{'goal':>7}{'bias':>8}{'in range':>10}{'width':>7}"]
    for what in dict.fromkeys(look.what for look in found):
        for since in (0.0, 0.25, 0.5, 0.75):
            some = [look for look in found if look.what == what and look.share >= since]
            known = [look for look in some if look.eta is not None]
            if not known:
                continue
            error = statistics.median(look.error for look in some)
            bias = statistics.fmean(look.bias for look in known)
            inside = statistics.fmean(look.inside for look in known)
            width = statistics.median(math.log(k.eta.high / k.eta.low) for k in known if k.eta and k.eta.low > 0)
            goal = f"{goals[what, since]} %" if (what, since) in goals else ""
            lines.append(
                f"{what + ', from ' + format(since, '.0%'):28}{len(some):7}{len(known) / len(some):7.0%}"
                f"{error:12.1f} %{goal:>7}{bias:+8.2f}{inside:10.0%}{math.exp(width):7.2f}"
            )
    return "\n".join(lines)


def record(workspace: Workspace, out: Path, every: float) -> None:
    """Write the live digits of all runs whenever they are new, until the campaign is over."""
    reader = CampaignReader(workspace, newest_campaign(workspace))
    seen: dict[str, float] = {}
    with out.open("ab") as file:
        while True:
            state = reader.refresh()
            for view in state.runs:
                digits = view.state.progress if view.state else None
                if digits is not None and seen.get(view.planned.run) != digits.time:
                    seen[view.planned.run] = digits.time
                    file.write(dump_line({"run": view.planned.run, "progress": encode(digits)}))
            file.flush()
            if state.settled:
                return
            time.sleep(every)


def main() -> None:
    parser = parser_of(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate")
    simulate.add_argument("--campaigns", type=int, default=60)
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--hours", type=float, nargs="+", default=[0.07, 0.5, 5.0])
    replay = commands.add_parser("replay")
    replay.add_argument("workspaces", type=Path, nargs="+")
    replay.add_argument("--digits", type=Path)
    recorder = commands.add_parser("record")
    recorder.add_argument("workspace", type=Path)
    recorder.add_argument("out", type=Path)
    recorder.add_argument("--every", type=float, default=0.5)
    options = parser.parse_args()
    if options.command == "record":
        record(Workspace(options.workspace), options.out, options.every)
        return
    looks: list[Look] = []
    if options.command == "simulate":
        for i in range(options.campaigns):
            hours = options.hours[i % len(options.hours)]
            looks += looks_at(simulated(options.seed + i, hours, jobs=1 + (i % 4 > 0)))
        print(f"{options.campaigns} simulated campaigns of about {options.hours} hours, seeds {options.seed}...")
    else:
        found = [read_recorded(d, options.digits) for w in options.workspaces for d in Workspace(w).campaign_dirs()]
        over = [recorded for recorded in found if recorded.over]
        for recorded in over:
            looks += looks_at(recorded)
        print(f"{len(over)} of {len(found)} campaigns are over and were supervised: {', '.join(r.name for r in over)}")
    print(table(looks))


if __name__ == "__main__":
    main()
