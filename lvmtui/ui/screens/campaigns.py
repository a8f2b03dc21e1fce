"""The campaigns of the workspace and what each of them says; Enter opens one."""

from __future__ import annotations

import threading
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from lvmtui.formats.paths import CampaignDir, Workspace
from lvmtui.state.campaign_reader import campaign_or_fault
from lvmtui.ui.draw.lines import plain
from lvmtui.ui.widgets.dialogs import Dialog
from lvmtui.verdict.answer import answer
from lvmtui.verdict.ranking import Judgement


class Campaigns(Dialog[str]):
    """A list, the newest first. Its result is the id of the campaign to open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "leave", "leave", show=False)]

    def __init__(self, workspace: Workspace, shown: str) -> None:
        super().__init__("Campaigns (enter opens one, esc closes)")
        self._folders = list(reversed(workspace.campaign_dirs()))
        self._shown = shown

    def compose_box(self) -> ComposeResult:
        yield OptionList(*(Option(self._words(folder, "reading"), id=folder.id) for folder in self._folders))

    def on_mount(self) -> None:
        ids = [folder.id for folder in self._folders]
        listed = self.query_one(OptionList)
        listed.highlighted = ids.index(self._shown) if self._shown in ids else 0
        listed.focus()
        threading.Thread(target=self._read, name="lvmtui-campaigns", daemon=True).start()

    def _read(self) -> None:
        """How far each has come and its answer, or why it cannot be read. In a thread: it reads run folders."""
        for folder in self._folders:
            if not self.is_attached:
                return
            state = campaign_or_fault(folder)
            said = state if isinstance(state, str) else f"{state.progress_words}. {answer(Judgement(state).table)}"
            self.app.call_later(self._tell, folder, said)

    def _tell(self, folder: CampaignDir, said: str) -> None:
        if self.is_attached:
            self.query_one(OptionList).replace_option_prompt(folder.id, self._words(folder, said))

    def _words(self, folder: CampaignDir, said: str) -> Text:
        mark = "   shown now" if folder.id == self._shown else ""
        return Text.assemble((plain(folder.id), "bold"), (mark, "dim"), f"\n  {said}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
