"""Looks at run folders, processes and the disk, and builds the frozen observation that decisions are made on.

With hundreds of runs the cost of a look counts every second. So for an idle run (no process, nothing due) only the
intent is checked: without a process, nothing but an order or the supervisor itself can change its folder.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace

from lvmtui.formats.campaign import PlannedRun, read_campaign, read_campaign_intent, start_order
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.paths import CampaignDir, RunDir, Workspace
from lvmtui.formats.started_with import StartedWith
from lvmtui.state.liveness import lacks_steps, stands_still
from lvmtui.state.run_reader import RunReader
from lvmtui.state.run_state import RunState, fold_records
from lvmtui.state.status import Phase, processes_of
from lvmtui.supervisor.engine import NOBODY, Engine, Place, Probe
from lvmtui.supervisor.journal import SupervisionJournal
from lvmtui.supervisor.observation import Asked, CampaignSeen, CampaignTrack, Observation, RunSeen, Track
from lvmtui.system.errors import UserError
from lvmtui.system.files import last_line
from lvmtui.system.filesystem import Signature, signature
from lvmtui.system.permissions import why_not_followed
from lvmtui.system.process_id import boot_id, host_name

LOOK_AGAIN = 10.0
"""Seconds after which an idle run is looked at in full, in case a change was missed."""
DIGITS_AFTER = 5.0
"""Seconds without a sign of progress after which the live digits are read, to see what it is busy with."""
MANY = 500
"""Up to this many runs, every tick checks the intent of each. With more, a tick checks a part of them, so that its
cost does not grow with the number of idle runs. Orders are still noticed at once, by the workspace's `bell` file."""
ELSEWHERE = 2.0
"""Seconds between two looks into the folder of a run on another host: each is a request to a file server."""


class Observer:
    """Knows every campaign of a workspace and looks at them again and again."""

    def __init__(
        self,
        workspace: Workspace,
        engines: dict[str, Engine],
        journal: SupervisionJournal,
        *,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = print,
        note: Callable[[str, str, float | None], None] = lambda run, words, when: None,
    ) -> None:
        """`say`: to the supervisor's own log. `note`: about a run, to its campaign's log; when: seconds since 1970."""
        self.workspace = workspace
        self.campaigns: list[CampaignTrack] = []
        """The oldest first."""
        self.tracks: dict[str, Track] = {}
        """Every run that is trained here, by name."""
        self.orphans: dict[str, Track] = {}
        """Processes whose run folder is gone, by the folder's path."""
        self._engines, self._journal = engines, journal
        self._clock, self._say, self._note = clock, say, note
        self._refused: set[str] = set()
        self._bell: Signature | None = None
        self._turn = 0

    def observe(self) -> Observation:
        """One look at everything."""
        now = self._clock()
        self._find_campaigns()
        self._hear_orders()
        due = [t for c in self.campaigns for t in c.tracks.values() if now >= t.look_at]
        unsure = [track for track, probe in self._look(due) if not self._see(track, probe, now)]
        for track, probe in self._look(unsure):
            self._see(track, probe, now)
        seen = tuple(
            CampaignSeen(c.dir.id, c.jobs, tuple(t.seen for t in c.order), c.campaign.stall_timeout, c.first)
            for c in self.campaigns
        )
        return Observation(seen, tuple(self._find_orphans(now)), can_write=not self._journal.disk_full)

    # -- campaigns --

    def _find_campaigns(self) -> None:
        known = {c.dir.id: c for c in self.campaigns}
        try:
            names = set(os.listdir(self.workspace.campaigns))
        except OSError:
            names = set()
        for name in names - known.keys():
            if (track := self._read_campaign(self.workspace.campaign(name))) is not None:
                self.campaigns.append(track)
                self.campaigns.sort(key=lambda c: (c.campaign.created, c.dir.id))
        for name in known.keys() - names:  # runs' processes are orphans as soon as their folders are gone too
            self.campaigns.remove(known[name])
            # A run it had borrowed stays: another campaign trains it.
            self.tracks = {run: t for run, t in self.tracks.items() if known[name].tracks.get(run) is not t}
            self._say(f"campaign {name}: its folder is gone")
        for campaign in self.campaigns:
            if (intent := signature(campaign.dir.intent, asked=True)) != campaign.intent:
                campaign.intent = intent
                wanted = read_campaign_intent(campaign.dir.intent)
                campaign.jobs = max(1, wanted.jobs or campaign.campaign.jobs)
                ordered, campaign.first = start_order(campaign.campaign, wanted), wanted.order
                campaign.order = [campaign.tracks[p.run] for p in ordered if p.trained_here]
            if (written := signature(campaign.dir.started_with)) != campaign.started_with:
                campaign.started_with = written
                started_with = find_document(StartedWith, campaign.dir.started_with)
                for run in campaign.tracks.values():
                    run.started_with = started_with

    def _read_campaign(self, folder: CampaignDir) -> CampaignTrack | None:
        if folder.id in self._refused or not folder.campaign.exists():
            return None
        try:
            campaign = read_campaign(folder.campaign)
        except UserError as error:
            self._refused.add(folder.id)
            self._say(str(error))
            return None
        tracks: dict[str, Track] = {}
        for index, planned in enumerate(campaign.runs):
            place = self.workspace.run(planned)
            seen = RunSeen(planned.run, None, host_name(), boot_id())
            tracks[planned.run] = track = Track(planned, place, RunReader(place, curves=False), campaign.engine, seen)
            track.name = f"{campaign.id}/{planned.model}/{campaign.arm(planned.arm).label}/s{planned.seed}"
            track.settings = campaign.engine_settings
            track.spread = index * 0.618 % 1
            track.patience = min(DIGITS_AFTER, campaign.stall_timeout or DIGITS_AFTER)
            if planned.trained_here:
                self.tracks[planned.run] = track
        return CampaignTrack(folder, campaign, tracks)

    # -- runs --

    def _hear_orders(self) -> None:
        """Look for new orders: at every run when the bell was rung, else at as many as a tick may cost."""
        tracks = [track for c in self.campaigns for track in c.tracks.values()]
        bell = signature(self.workspace.bell, asked=True)
        rung, few = bell != self._bell, len(tracks) <= MANY
        if not rung and not few:
            first = self._turn % len(tracks)
            self._turn = first + MANY
            tracks = tracks[first : first + MANY]
        self._bell = bell
        for track in tracks:
            if signature(track.folder.intent, asked=rung and few) != track.intent:
                track.touch()

    def _look(self, due: list[Track]) -> list[tuple[Track, Probe]]:
        """Ask each engine once about all its runs. Before their folders are read: who is dead then has said all."""
        probes: list[tuple[Track, Probe]] = []
        for name in {track.engine for track in due}:
            tracks = [track for track in due if track.engine == name]
            try:
                engine = self._engines[name]
            except (KeyError, UserError) as error:  # one of a later version
                if name not in self._refused:
                    self._refused.add(name)
                    self._say(f"no engine '{name}' here: {error}")
                probes += [(track, Probe(known=False)) for track in tracks]
                continue
            seen = engine.look([self.place_of(track) for track in tracks if track.planned.trained_here])
            probes += [(track, seen.get(track.folder.path, NOBODY)) for track in tracks]
        return probes

    def place_of(self, track: Track) -> Place:
        """The run as its engine is asked about it."""
        unsettled = track.seen.state is None or track.seen.unsettled
        return Place(track.folder, track.named, track.name, track.settings, track.started_with, unsettled)

    def _see(self, track: Track, probe: Probe, now: float) -> bool:
        """Put together what is seen of a run. False if its logs name a process that nobody has looked for yet."""
        if now < track.read_at and probe == track.seen.probe:
            return True
        if (intent := signature(track.folder.intent)) != track.intent:
            track.intent, track.ordered = intent, now
            if words := why_not_followed(track.folder.intent):
                self._note(track.planned.run, f"an order is not followed: {words}", intent[2] / 1e9)
        asked_about = track.named
        signs = (signature(track.folder.progress, asked=now - track.moved[1] > DIGITS_AFTER), probe.members[:1])
        if signs != track.moved[0]:  # new digits, or another process: it is not hanging
            track.moved = (signs, now)
        ended_elsewhere = probe.sees_all_hosts and not probe.members and (track.seen.alive or track.seen.unsettled)
        state = track.reader.refresh(digits=now - track.moved[1] > DIGITS_AFTER, asked=ended_elsewhere)
        before = track.seen.state
        if (state is None) != track.gone:
            track.gone = state is None
            if before or probe.members or not track.gone:
                self._note(track.planned.run, track.reader.fault or "its folder is back", time.time())
        if state is not None and (waiting := self._journal.waiting(track.folder)):
            state = replace(state, supervision=fold_records(waiting, state.supervision))
        if state is not before:
            track.named = processes_of(state) if state else ()
        newly_named = track.named is not asked_about and any(p not in asked_about for p in track.named)
        if newly_named and not probe.members:
            probe = replace(probe, known=False)
        if probe.sees_all_hosts and probe.members and track.asked is None:
            track.read_at = now + ELSEWHERE * (0.5 + track.spread)
        if state is before and probe == track.seen.probe and self._goes_well(track, now):
            return True
        track.seen = seen = self._run_seen(track, state, probe, now)
        open_end = seen.alive or seen.untouchable or seen.unsettled
        rests = not (open_end or seen.later or seen.status.phase is Phase.NO_SPACE)
        again = LOOK_AGAIN * (0.5 + track.spread) * max(1.0, len(self.tracks) / MANY)
        track.look_at = now + again if rests and not newly_named else now
        return probe.known or not newly_named

    def _goes_well(self, track: Track, now: float) -> bool:
        """True if it runs, makes progress and was asked for nothing: then no time of it means anything."""
        return (
            track.seen.trainer is not None
            and not track.seen.later
            and track.asked is None
            and track.over_since is None
            and now - track.moved[1] < track.patience
            and track.seen.still < track.patience
        )

    def _run_seen(self, track: Track, state: RunState | None, probe: Probe, now: float) -> RunSeen:
        seen = RunSeen(track.planned.run, state, host_name(), boot_id(), probe)
        still = now - track.moved[1] if seen.alive and not seen.waits else 0.0
        if not seen.alive:
            track.quiet_since = now if track.quiet_since is None else track.quiet_since
            track.over_since = track.asked = track.insisted = None
        else:
            track.quiet_since = None
            ending = seen.attempt.ending if seen.trainer and seen.attempt else None
            if seen.waits:  # Slurm, or somebody there, has put its job back into the queue
                track.queued_again = ending
            last_word = ending is not None and ending is not track.queued_again
            track.over_since = (track.over_since or now) if last_word else None
        generation = state.intent.generation if state else -1
        if track.asked_by != generation:  # another order: the ladder begins anew
            track.asked_by, track.asked, track.insisted = generation, None, None
        live = state.live if state else None
        insisted = None if track.insisted is None else now - track.insisted
        stopped = seen.trainer is not None and seen.trainer.stopped
        by_cluster = stopped and probe.sees_all_hosts  # it goes on when its cluster lets it
        return replace(
            seen,
            stalled=stands_still(live, still) and not by_cluster,
            lacks_steps=lacks_steps(live, still, stopped=stopped),
            still=still,
            overtime=None if track.over_since is None else now - track.over_since,
            quiet=0.0 if track.quiet_since is None else now - track.quiet_since,
            later=now < track.later or bool(self._journal.waiting(track.folder)),
            room=room_at(track.folder) if state and seen.status.phase is Phase.NO_SPACE else None,
            last_words=_last_words(track.folder, state) if not seen.alive and seen.unsettled else "",
            ordered=now - track.ordered,
            asked=None if track.asked is None else Asked(now - track.asked, insisted),
        )

    def _find_orphans(self, now: float) -> list[RunSeen]:
        """Processes below our folder of runs whose own folders are gone, and that no campaign speaks of."""
        places = [(n, place) for n, e in self._engines.items() for place in e.orphans(self.workspace.models)]
        planned = {os.path.realpath(t.folder.path) for t in self.tracks.values()} if places else set()
        found: dict[str, Track] = {}
        for name, place in places:
            key = str(place.folder.path)
            if key not in planned:
                seen = RunSeen(key, None, host_name(), boot_id())
                spec = PlannedRun(key, key, "", "baseline", 0)
                track = self.orphans.get(key) or Track(spec, place.folder, RunReader(place.folder), name, seen)
                track.name, track.started_with = place.name, place.started_with
                track.seen = self._run_seen(track, None, self._engines[name].look([place])[place.folder.path], now)
                found[key] = track
        self.orphans = found
        return [track.seen for track in found.values()]


def _last_words(folder: RunDir, state: RunState | None) -> str:
    """The last line of its log; the last two, of the script of its job, before any trainer has logged a start. A shell
    begins its complaints with the whole path of the script."""
    said = last_line(folder.log, 1 if state and state.trainer.attempts else 2)
    return re.sub(r"(?<!\S)/\S*/(?=[^/\s]+: line \d+: )", "", said)


def room_at(folder: RunDir) -> int | None:
    """Bytes a run may still write, None if the disk cannot be asked."""
    try:
        return shutil.disk_usage(folder.path).free
    except OSError:
        return None
