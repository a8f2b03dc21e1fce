"""Short messages to the user, shown on the last line for a moment."""

from __future__ import annotations

import time

from textual.app import App
from textual.timer import Timer

SAID = 4.0
"""Seconds that a message stays on the last line."""
LETTERS = 20.0
"""Characters of a long message that are read in a second."""
READ = 1.0
"""Seconds after which the next key removes it."""


class Talks(App[int], inherit_bindings=False):
    """An app that shows a message now and then. Its views draw `words`."""

    words = ""
    _timer: Timer | None = None
    _said = 0.0
    """When it was said, by the monotonic clock."""

    def redraw(self) -> None:
        """Show `words`, or no longer."""
        raise NotImplementedError

    def say(self, words: str) -> None:
        """Show words on the last line for a moment."""
        self.words = words
        self._said = time.monotonic()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(max(SAID, len(words) / LETTERS), self.hush)
        self.redraw()

    def hush(self) -> None:
        if self.words:
            self.words = ""
            self.redraw()

    def hush_read(self) -> None:
        """A key was pressed: remove a message that was there long enough to be read."""
        if time.monotonic() - self._said > READ:
            self.hush()
