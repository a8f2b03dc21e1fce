"""Reads a run folder again and again, only what is new each time, and folds it to a `RunState`."""

from __future__ import annotations

from dataclasses import replace

from lvmtui.formats.intent import read_intent
from lvmtui.formats.json_codec import find_document
from lvmtui.formats.live import Progress
from lvmtui.formats.paths import RunDir
from lvmtui.formats.spec import read_spec
from lvmtui.formats.supervisor_log import decode_record
from lvmtui.formats.trainer_log import decode_event
from lvmtui.state.run_state import RunState, SupervisionState, TrainerState, fold, fold_records
from lvmtui.state.tail import LogCursor
from lvmtui.system.errors import UserError
from lvmtui.system.filesystem import NO_FILE, Seen

TRAINED = b'"kind":"trained"'
"""In the log line of a point of the training curve, and in no other: within a text the quotes would be escaped."""


class RunReader:
    """One run folder, read again and again. `state` is the same object as long as nothing has changed."""

    def __init__(self, folder: RunDir, *, curves: bool = True) -> None:
        """`curves` False leaves out the points of the training curve: most of a log, of no use to a supervisor."""
        self.folder = folder
        self.curves = curves
        self.state: RunState | None = None
        self.fault = ""
        """Why there is no state: the folder is gone or its spec cannot be read."""
        self._seen = Seen()

    def refresh(self, *, digits: bool = True, asked: bool = False) -> RunState | None:
        """Read what is new and return the state, None if the folder cannot be read (see `fault`).

        `digits` False leaves the live digits as they were: they are new at every look, and most of its cost. `asked`:
        see `signature`; for a look on which a death may be concluded.
        """
        if not self._seen.changed(self.folder.spec) and self.state is None and self.fault:
            return None
        if self.state is None or self._seen[self.folder.spec] == NO_FILE:
            try:
                spec, self.fault = read_spec(self.folder.spec), ""
            except UserError as error:
                gone = f"{self.folder.path} is gone: put it back, or train anew with a new campaign"
                self.state, self.fault = None, str(error) if self.folder.path.exists() else gone
                return None
            if self.state is None or self.state.spec != spec:
                self._events = LogCursor(self.folder.events, decode_event, without=() if self.curves else (TRAINED,))
                self._records = LogCursor(self.folder.supervision, decode_record)
                self._seen = Seen({self.folder.spec: self._seen[self.folder.spec]})
                self.state = RunState(spec)
        state = self.state
        if self._seen.changed(self.folder.events, asked=asked):
            events, restarted = self._events.read()
            state = replace(state, trainer=fold(events, TrainerState() if restarted else state.trainer))
        if self._seen.changed(self.folder.supervision):
            records, restarted = self._records.read()
            before = SupervisionState() if restarted else state.supervision
            state = replace(state, supervision=fold_records(records, before))
        if self._seen.changed(self.folder.intent, asked=asked):
            state = replace(state, intent=read_intent(self.folder.intent, state.intent))
        if digits and self._seen.changed(self.folder.progress):
            state = replace(state, progress=find_document(Progress, self.folder.progress))
        self.state = state
        return state
