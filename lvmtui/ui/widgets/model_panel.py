"""A panel of the board: a model with its runs, both curves and what the data changed."""

from __future__ import annotations

from lvmtui.system.numbers import count
from lvmtui.ui.draw.board_panels import inside, table_scale
from lvmtui.ui.draw.lines import Drawing, Hit
from lvmtui.ui.read.snapshot import ModelFacts, Snapshot
from lvmtui.ui.widgets.canvas import Canvas


class ModelPanel(Canvas):
    """Frame and title are Textual's; only a panel whose model shows something else is drawn again."""

    def show(self, model: ModelFacts, snapshot: Snapshot, selected: str) -> None:
        """Show the model as the snapshot has it."""
        chosen = selected if any(run.name == selected for run in model.runs) else ""
        self.name_frame(model.title, f"{count(model.parameters)} weights" if model.parameters else "")
        self.set_class(bool(chosen), "-selected")

        def painter(width: int, height: int) -> Drawing:
            drawing = inside(model, snapshot, selected, width, height)
            everywhere = Hit(-2, -1, width + 4, height + 2, f"run:{model.runs[0].name}" if model.runs else "")
            return Drawing(drawing.lines, (everywhere, *drawing.hits))

        self.paint(painter, (model, chosen, table_scale(snapshot)))
