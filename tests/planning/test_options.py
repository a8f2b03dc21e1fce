"""What a person may ask for, and what they are told when they may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.planning.options import Options, demo, merge, read_campaign_file
from lvmtui.system.errors import UserError


def test_a_campaign_file_says_what_the_options_say(tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(
        'baseline = "small.npz"\nexpanded = "/data/large.npz"\nmodels = ["gru", "amn"]\nbatch-size = 64\nepochs = 3\n'
        "seeds = [1, 2]\njobs = 2\n"
    )
    options = read_campaign_file(file, Options())
    assert options.baseline == str(tmp_path / "small.npz") and options.expanded == "/data/large.npz"
    assert options.models == ("gru", "amn") and options.batch_size == 64 and options.epochs == 3.0
    assert options.seeds == (1, 2) and options.jobs == 2 and options.recipe_name == "reference"


def test_a_campaign_file_names_the_engine_and_what_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(
        '[engine]\nname = "slurm"\npartition = "gpu"\ngpus = 1\nsetup = ["module load cuda", "module load python"]\n'
    )
    options = read_campaign_file(file, Options())
    assert options.engine == "slurm"
    told = {"partition": ("gpu",), "gpus": ("1",), "setup": ("module load cuda", "module load python")}
    assert options.engine_settings == told
    beside = merge(options, {"engine": {"name": "slurm", "partition": "cpu"}}, "")
    assert beside.engine_settings == {**told, "partition": ("cpu",)}
    assert merge(options, {"engine": "local"}, "").engine_settings == {}


def test_options_beside_a_file_win(tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text('models = ["gru"]\nsize = "small"\n')
    options = merge(read_campaign_file(file, Options()), {"models": ["amn"]}, "")
    assert options.models == ("amn",) and options.size == "small"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modles = ['gru']", "did you mean 'models'"),
        ("models = ['grru']", "did you mean 'gru'"),
        ("recipe = 'tunde'", "did you mean 'tuned'"),
        ("size = 'smal'", "did you mean 'small'"),
        ("epochs = 'many'", "is not a number"),
        ("jobs = 0", "--jobs"),
        ("jobs = 1.5", "is not a whole number"),
        ("jobs = true", "is not a whole number"),
        ("seeds = [1, 1]", "names one twice"),
        ("seeds = []", "at least one"),
        ("seeds = [-1]", "from 0"),
        ("labels = ['a', 'a']", "two different"),
        ("labels = ['a', 'b/../c']", "file names"),
        ("arms = 'expanded'", "--baseline-runs"),
        ("baseline-runs = ['x']", "--arms expanded"),
        ("baseline = 'x.npz'", "name both"),
        ("epochs = nan", "--epochs"),
        ("engine = 'slrum'", "did you mean 'slurm'"),
        ("engine = 3", "[engine]"),
        ("[engine]\nname = 'slurm'\npartitoin = 'gpu'", "did you mean 'partition'"),
        ("[engine]\nname = 'slurm'\ntime = 'soon'", "--time: 'soon'"),
        ("[engine]\nname = 'slurm'\nsetup = [\"a\\nb\"]", "one line each"),
        ("[engine]\nname = 'slurm'\nsetup = [[1]]", "neither text nor a number"),
        ("[engine]\npartition = 'gpu'", "local engine"),
        ("[", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_campaign_file(file, Options())
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml"):
        read_campaign_file(tmp_path / "none.toml", Options())


@given(
    st.dictionaries(st.sampled_from(sorted(Options.__dataclass_fields__)), st.integers() | st.text() | st.booleans())
)
def test_any_values_are_taken_or_refused(values: dict[str, object]) -> None:
    try:
        options = merge(Options(), values, "options")
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert options.models and options.seeds


def test_the_demo_is_small_and_bundled() -> None:
    assert demo().bundled and demo().size == "small" and demo().recipe_name == "tuned"
