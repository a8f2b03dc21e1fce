"""What a run is made of, as its facts name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lvmtui.formats.user_code import OwnModel, UserCode
from lvmtui.ui.draw.run import fact_lines
from tests.ui.draw.test_board import look
from tests.ui.showcase import end


def test_a_model_and_a_loss_of_ones_own_are_named(tmp_path: Path) -> None:
    end(tmp_path)
    run = look(tmp_path).runs[0]
    assert run.state
    mine = OwnModel("Gated", UserCode("own/g", "gated", "Gated", "ab" * 32, "gated.py:Gated"), {"width": 160})
    loss = UserCode("own/loss_mine", "loss", "angular", "cd" * 32, "loss.py:angular")
    spec = replace(run.state.spec, model="gated", own_model=mine, recipe=replace(run.state.spec.recipe, own_loss=loss))
    facts = replace(run, view=replace(run.view, state=replace(run.state, spec=spec)))
    told = [" ".join("".join(text for text, _ in line).split()) for line in fact_lines(facts, 90)]
    assert "own model gated.py:Gated, digest abababababababab, width = 160" in told
    assert "loss loss.py:angular, digest cdcdcdcdcdcdcdcd" in told and "model gated" in told
    assert "plateau patience 3" in told and not any("UserCode" in line for line in told)


def test_hits_are_written_as_in_the_report_and_called_plain(tmp_path: Path) -> None:
    end(tmp_path)
    told = [" ".join("".join(text for text, _ in line).split()) for line in fact_lines(look(tmp_path).runs[0], 90)]
    (hits,) = (line for line in told if line.startswith("hit@1, 5, 10 "))
    assert hits.endswith(", plain means") and "0." not in hits
