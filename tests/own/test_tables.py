"""What a user may write about models, recipes and trainers of his own, and the one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvmtui.formats.user_code import TrialResult
from lvmtui.models import MODELS, recipe_for
from lvmtui.planning.options import Options
from lvmtui.planning.own_code import Shape, gather_own
from lvmtui.planning.own_tables import read_own
from lvmtui.planning.read_options import Given, combine, read_campaign_file
from lvmtui.system.errors import UserError


def options(tmp_path: Path, text: str, **command_line: object) -> Options:
    file = tmp_path / "campaign.toml"
    file.write_text(text)
    return combine(Options(), read_campaign_file(file), Given(command_line))


def test_a_model_by_its_file_takes_the_name_of_its_class(tmp_path: Path) -> None:
    found = options(tmp_path, "", models=["amn", "mixer.py:Mixer"])
    assert found.models == ("amn", "mixer") and found.own.models["mixer"].source == "mixer.py:Mixer"


def test_files_in_a_campaign_file_lie_beside_it(tmp_path: Path) -> None:
    found = options(tmp_path, 'models = ["gru", "nets/mixer.py:Mixer"]')
    assert found.own.models["mixer"].source == f"{tmp_path}/nets/mixer.py:Mixer"


def test_tables_name_the_models(tmp_path: Path) -> None:
    found = options(
        tmp_path,
        """
        recipe = "mine"
        [models.gru]
        rate = 1e-3
        [models.mixer]
        file = "mixer.py:Mixer"
        title = "MLP mixer"
        options = { width = 32, deep = true }
        [recipes.mine]
        based_on = "reference"
        rate = 2e-4
        epochs = 3
        """,
    )
    assert found.models == ("gru", "mixer")
    mixer = found.own.models["mixer"]
    assert (mixer.title, mixer.options, mixer.base) == ("MLP mixer", {"width": 32, "deep": True}, tmp_path)
    recipe = found.own.recipe("mine", "gru")
    assert (recipe.name, recipe.rate, recipe.epochs, recipe.loss) == ("mine", 2e-4, 3, "mse")


TRAINER = '[trainers.mine]\ncommand = "python train.py"\n'


def test_trainers_stand_beside_the_models_unless_these_name_them(tmp_path: Path) -> None:
    assert options(tmp_path, TRAINER).models == (*MODELS, "mine")
    assert options(tmp_path, 'models = ["gru"]\n' + TRAINER).models == ("gru", "mine")
    assert options(tmp_path, 'models = ["mine"]\n' + TRAINER).models == ("mine",)


def test_two_networks_of_one_class_are_told_apart_by_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.py").write_text("class Net: pass\n")
    asked = options(tmp_path, '[models.wide]\nfile = "m.py:Net"\n[models.deep]\nfile = "m.py:Net"')
    tried = TrialResult(step_seconds=1.0, reference_seconds=1.0)
    monkeypatch.setattr("lvmtui.planning.own_code.try_code", lambda *_: tried)
    recipes = {name: recipe_for("tuned", "gru") for name in asked.models}
    found = gather_own(asked.own, asked.models, recipes, [Shape(8, 5, 32)], "own", print)
    assert found.titles == {"wide": "wide", "deep": "deep"}
    assert options(tmp_path, "", models=["m.py:Net"]).own.models["net"].title == "Net", "by the class where it is asked"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('models = ["gruu"]', "models 'gruu' is not known; did you mean 'gru'?"),
        ('models = ["mixer.py"]', "name the class or function in it, as in "),
        ('recipe = "tund"', "recipe 'tund' is not known; did you mean 'tuned'?"),
        ("[models.mixer]", '[models.mixer]: the file is missing; add file = "mixer.py:Mixer"'),
        ('[models.Mixer]\nfile = "m.py:M"', "'Mixer' becomes part of file names"),
        ('[models.all]\nfile = "m.py:M"', "'all' means all runs in commands; give it another name"),
        ('[models.gru]\nfile = "m.py:M"', "'gru' is one of the built-in models"),
        ('[models.m]\nfile = "m.py"', "file: 'm.py' is not like mixer.py:Mixer"),
        ('[models.gru]\ntitle = "mine"', "[models.gru]: the built-in models take no options and no title"),
        ('[models.m]\nfile = "m.py:M"\nwidth = 3', "key 'width' is not known"),
        ('[models.m]\nfile = "m.py:M"\noptions = { a = [1] }', "options: must be a table of numbers"),
        ('[models.m]\nfile = "m.py:M"\nrate = "fast"', "rate: 'fast' is not a number above 0"),
        ('[models.m]\nfile = "m.py:M"\nrecipe = "mine"', "[models.m]: recipe 'mine' is not known"),
        ('[recipes.tuned]\nbased_on = "tuned"', "'tuned' is one of the built-in recipes"),
        ('[recipes.a]\nbased_on = "b"', "based_on 'b' is not known"),
        ('[recipes.a]\nschedule = "linear"', "schedule 'linear' is not known"),
        ('[recipes.a]\ncorrection = "no"', "[recipes.a]: correction: Expected float | null, got str"),
        ('[recipes.a]\nepochs = "many"', "epochs: Expected float, got str"),
        ("[recipes.a]\nepochs = -1", "epochs: -1 is out of range"),
        ('[recipes.a]\nloss = "huber"', "loss: 'huber' is not mse, cosine, or a function in a file"),
        ("[trainers.a]", "the command is missing"),
        ('[trainers.a]\ncommand = "a \'b"', "cannot be split into words"),
        ('[trainers.a]\ncommand = "a {dta}"', "did you mean 'data'?"),
        ('[trainers.a]\ncommand = "a"\npattern = "(?P<cosine>"', "not a regular expression"),
        ('[trainers.a]\ncommand = "a"\npattern = "(?P<cos>.)"', "(?P<cos>...) means nothing here"),
        ('[trainers.a]\ncommand = "a"\nsteps = 0', "steps: 0 is not a whole number above 0"),
        ('[trainers.a]\ncommand = "a"\nsteps = 1\nepochs = 1', "give steps or epochs"),
        ('[trainers.a]\ncommand = "a"\nfolder = "nowhere"', "no such folder"),
        ('[trainers.gru]\ncommand = "a"', "'gru' is the name of a model"),
        (
            '[models.a]\nfile = "m.py:M"\ntitle = "Net"\n[models.b]\nfile = "m.py:M"\ntitle = "net"',
            "[models.b]: title: 'net' also means a; give it another",
        ),
        ('[trainers.ridge]\ncommand = "a"\nsteps = 1', "[trainers.ridge]: 'ridge' is a trivial baseline's name"),
        ('[models.a]\nfile = "m.py:M"\ntitle = "GRU"', "[models.a]: title: 'GRU' also means gru"),
        (
            '[models.a]\nfile = "m.py:M"\n[trainers.t]\ncommand = "a"\ntitle = "A"',
            "[trainers.t]: title: 'A' also means a",
        ),
        (
            'models = []\n[trainers.mine]\ncommand = "a"',
            "models: the list is empty; name trainers (mine) or models in it",
        ),
        ("trainers = 3", "must be tables, as in [trainers.mine]"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        options(tmp_path, text)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert "campaign.toml" in str(caught.value)


def test_a_recipe_of_other_epochs_is_evaluated_as_often_as_one_of_the_option(tmp_path: Path) -> None:
    own = options(
        tmp_path,
        """
        [recipes.long]
        epochs = 9
        [recipes.few]
        epochs = 9
        evaluations = 4
        [recipes.stepwise]
        epochs = 9
        schedule = "plateau"
        [recipes.as_it_is]
        rate = 0.001
        """,
    ).own
    long, few, stepwise, as_it_is = (own.recipe(name, "gru") for name in ("long", "few", "stepwise", "as_it_is"))
    assert (stepwise.epochs, stepwise.evaluations, stepwise.schedule) == (9, 9, "plateau")
    assert (long.epochs, long.evaluations, long.patience, long.least_updates) == (9, 24, 9, 0)
    assert (few.evaluations, as_it_is.evaluations, as_it_is.least_updates) == (4, 8, 300)


@pytest.mark.parametrize(
    ("command", "pattern", "more", "unit"),
    [
        ("train {epochs}", "epoch (?P<epoch>.)", {}, "epoch"),
        ("train {epochs}", ["epoch (?P<epoch>.)", "step (?P<step>.)"], {}, "step"),
        ("train {epochs} {steps}", "epoch (?P<epoch>.)", {}, "step"),
        ("train {epochs}", "epoch (?P<epoch>.)", {"steps": 9}, "step"),
        ("train", "epoch (?P<epoch>.)", {}, "step"),
        ("train {epochs}", [], {}, "step"),
        ("train", [], {"epochs": 9}, "epoch"),
    ],
)
def test_steps_are_epochs_where_a_script_is_told_and_tells_nothing_else(
    tmp_path: Path, command: str, pattern: object, more: dict[str, object], unit: str
) -> None:
    table = {"command": command, "pattern": pattern, **more}
    assert read_own({"trainers": {"mine": table}}, tmp_path / "campaign.toml").trainers["mine"].program.unit == unit
