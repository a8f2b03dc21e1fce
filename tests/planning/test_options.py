"""What people may ask for, on the command line and in campaign files, and what they are told when they may not."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvmtui.cli.parser import parse
from lvmtui.cli.start import given_options
from lvmtui.formats.spec import Reading
from lvmtui.planning.options import OPTIONS, Option, Options, demo
from lvmtui.planning.read_options import Given, combine, naming_the_file, read_campaign_file, read_value
from lvmtui.system.errors import UserError


def of_file(folder: Path, text: str, *arguments: str) -> Options:
    """The options of a campaign file, with a command line beside it."""
    file = folder / "campaign.toml"
    file.write_text(text)
    return combine(Options(), read_campaign_file(file), given_options(parse(["run", *arguments])))


def of_line(*arguments: str) -> Options:
    return combine(Options(), given_options(parse(["demo", *arguments])))


# -- one declaration for all -------------------------------------------------------------------------------------------

EXAMPLES: dict[str, tuple[list[str], str, Any]] = {
    "on_event": (["echo 1, 2"], '["echo 1, 2"]', ("echo 1, 2",)),
    "baseline": (["/a.npz", "--expanded", "/b.npz"], '"/a.npz"\nexpanded = "/b.npz"', "/a.npz"),
    "expanded": (["/b.npz", "--baseline", "/a.npz"], '"/b.npz"\nbaseline = "/a.npz"', "/b.npz"),
    "data": (["/a.npz", "--sizes", "5"], '["/a.npz"]\nsizes = 5', ("/a.npz",)),
    "sizes": (["10k", "20k", "all"], '["10k", "20k", "all"]', ("10k", "20k", "all")),
    "subsets": (["file"], '"file"', "file"),
    "models": (["amn", "gru"], '["amn", "gru"]', ("amn", "gru")),
    "centre": (["mean"], '"mean"', "mean"),
    "recipe": (["tuned"], '"tuned"', "tuned"),
    "size": (["small"], '"small"', "small"),
    "device": (["cuda:1"], '"cuda:1"', "cuda:1"),
    "labels": (["a", "b"], '["a", "b"]', ("a", "b")),
    "same": (["0.9"], "0.9", 0.9),
    "judge_on": (["own"], '"own"', "own"),
    "arms": (["expanded", "--baseline-runs", "/r"], '"expanded"\nbaseline-runs = ["/r"]', "expanded"),
    "baseline_runs": (["/r", "/s", "--arms", "expanded"], '["/r", "/s"]\narms = "expanded"', ("/r", "/s")),
    "engine": (["slurm"], '"slurm"', "slurm"),
    "vectors": (["a,b", "c"], '["a,b", "c"]', ("a,b", "c")),
    "article": (["a"], '"a"', ("a",)),
    "order": (["a"], '"a"', ("a",)),
}
"""How a value is typed, how it is written in a file, and what it becomes, where the type does not say it already."""


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_works_on_the_command_line_and_in_a_file(tmp_path: Path, name: str) -> None:
    one = OPTIONS[name]
    if one.type is bool:
        typed, written, value = list[str](), "true", True
    else:
        numbers = (["2"], "[2]", (2,)) if one.several else (["2"], "2", 2)
        plain = (["x"], '"x"', "x") if one.type is str else numbers
        typed, written, value = EXAMPLES.get(name, plain)
    assert getattr(of_line(f"--{one.key}", *typed), name) == value
    assert getattr(of_file(tmp_path, f"{one.key} = {written}"), name) == value
    if "_" in name:
        assert getattr(of_file(tmp_path, f"{name} = {written}"), name) == value
    assert one.help and one.default == getattr(Options(), name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--sizes", "10k", "all"], "--sizes: 2 sizes: a learning curve needs 3 or more"),
        (["--sizes", "x"], "--sizes: 'x' is no size; write numbers of vectors"),
        (["--sizes", "1"], "--sizes: one size: a learning curve needs 3 or more"),
        (["--sizes", "10k", "many", "all"], "--sizes: 'many' is no size"),
        (["--sizes", "10k", "0k", "all"], "--sizes: '0k' is no size"),
        (["--sizes", "10k", "10k", "all"], "contains one twice"),
        (["--data", "a.npz"], "--data: one file needs --sizes"),
        (["--data", "a.npz", "b.npz"], "--data: two files have no learning curve"),
        (["--data", "a.npz", "b.npz", "c.npz", "--sizes", "5"], "--sizes: sizes are taken from one file"),
        (["--data", "a.npz", "--sizes", "5", "--baseline", "b.npz"], "--data: names all files"),
        (["--data", "a.npz", "--sizes", "5", "--labels", "a", "b"], "--labels: sizes are named by"),
        (["--baseline", "a.npz", "--expanded", "b.npz", "--sizes", "5"], "--sizes: name the one file"),
    ],
)
def test_sizes_that_make_no_sense_are_refused_in_one_line(line: list[str], words: str) -> None:
    with pytest.raises(UserError) as error:
        of_line(*line)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_numbers_have_bounds() -> None:
    share = Option("share", float, 0.5, "a share", above=0, most=1)
    assert read_value(share, "1", "--share") == 1.0
    for value in (0, "0", 1.5, float("nan"), "-1"):
        with pytest.raises(UserError, match=r"--share: .* is out of range; give a number above 0 to 1"):
            read_value(share, value, "--share")
    count = Option("count", int, 1, "a count")
    assert read_value(count, 0, "--count") == 0
    with pytest.raises(UserError, match="give a whole number from 0 to 1,000,000,000"):
        read_value(count, -1, "--count")


def test_every_field_is_an_option_or_has_tables_of_its_own() -> None:
    assert {f.name for f in fields(Options)} - set(OPTIONS) == {"engine_settings", "own"}


def test_a_switch_in_a_file_can_be_turned_off_beside_it(tmp_path: Path) -> None:
    assert of_file(tmp_path, "normalise = true").normalise
    assert not of_file(tmp_path, "normalise = true", "--no-normalise").normalise


# -- campaign files ----------------------------------------------------------------------------------------------------


def test_a_campaign_file_says_what_the_options_say(tmp_path: Path) -> None:
    options = of_file(
        tmp_path,
        'baseline = "small.npz"\nexpanded = "/data/large.npz"\nmodels = ["gru", "amn"]\nbatch-size = 64\nepochs = 3\n'
        "seeds = [1, 2]\njobs = 2\n",
    )
    assert options.baseline == str(tmp_path / "small.npz") and options.expanded == "/data/large.npz"
    assert options.models == ("gru", "amn") and options.batch_size == 64 and options.epochs == 3.0
    assert options.seeds == (1, 2) and options.jobs == 2


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_bytes(b"\xef\xbb\xbfjobs = 2\r\n")
    assert combine(Options(), read_campaign_file(file)).jobs == 2


def test_a_campaign_file_names_the_engine_and_its_settings(tmp_path: Path) -> None:
    slurm = (
        '[engine]\nname = "slurm"\npartition = "gpu"\ngpus = 1\nsetup = ["module load cuda", "module load python"]\n'
    )
    told = {"partition": ("gpu",), "gpus": ("1",), "setup": ("module load cuda", "module load python")}
    options = of_file(tmp_path, slurm)
    assert options.engine == "slurm" and options.engine_settings == told
    assert of_file(tmp_path, slurm, "--partition", "cpu").engine_settings == {**told, "partition": ("cpu",)}
    assert of_file(tmp_path, slurm, "--engine", "slurm", "--partition", "cpu").engine_settings["gpus"] == ("1",)
    assert of_file(tmp_path, slurm, "--engine", "local").engine_settings == {}
    short = slurm + 'time = "1"\n'  # wrong in the file, but not what counts
    assert of_file(tmp_path, short, "--time", "30").engine_settings["time"] == ("30",)


def test_the_command_line_wins_over_a_file(tmp_path: Path) -> None:
    options = of_file(tmp_path, 'models = ["gru"]\nsize = "small"\n', "--models", "amn")
    assert options.models == ("amn",) and options.size == "small"


def test_a_file_may_leave_to_the_command_line_what_belongs_to_it(tmp_path: Path) -> None:
    options = of_file(tmp_path, 'baseline = "/small.npz"', "--expanded", "/large.npz")
    assert (options.baseline, options.expanded) == ("/small.npz", "/large.npz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modles = ['gru']", "key 'modles' is not known; did you mean 'models'"),
        ("models = ['grru']", "models 'grru' is not known; did you mean 'gru'"),
        ("models = [['gru']]", "models: ['gru'] is not text"),
        ("recipe = 'tunde'", "recipe 'tunde' is not known; did you mean 'tuned'"),
        ("size = 'smal'", "did you mean 'small'"),
        ("device = 'tpu'", "device: "),
        ("epochs = 'many'", "epochs: 'many' is not a number"),
        ("jobs = 0", "jobs: 0 is out of range; give a whole number above 0"),
        ("jobs = 1.5", "jobs: 1.5 is not a whole number"),
        ("jobs = true", "is not a whole number"),
        ("seeds = [1, 1]", "seeds: 1, 1 contains one twice"),
        ("seeds = []", "at least one"),
        ("seeds = [-1]", "seeds: -1 is out of range; give a whole number from 0"),
        ("labels = ['a', 'a']", "labels: a, a contains one twice"),
        ("labels = ['a']", "takes 2 values, not 1"),
        ("labels = ['a', 'b/../c']", "file names"),
        ("arms = 'expanded'", "arms: --baseline-runs is needed"),
        ("baseline-runs = ['x']", "baseline-runs: --arms expanded is needed"),
        ("baseline = 'x.npz'", "baseline: --expanded is missing; name both"),
        ("baseline = 3", "baseline: 3 is not text"),
        ("epochs = nan", "epochs: nan is out of range"),
        ("engine = 'slrum'", "did you mean 'slurm'"),
        ("engine = 3", "[engine]: 3 is not the name"),
        ("[engine]\nname = 'slurm'\npartitoin = 'gpu'", "did you mean 'partition'"),
        ("[engine]\nname = 'slurm'\ntime = 'soon'", "[engine]: time: 'soon'"),
        ("[engine]\nname = 'slurm'\nsetup = [\"a\\nb\"]", "one line"),
        ("[engine]\nname = 'slurm'\nsetup = [[1]]", "neither text nor a number"),
        ("[engine]\npartition = 'gpu'", "the local engine's key 'partition' is not known"),
        ("[", "not TOML"),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line_that_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        of_file(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'campaign.toml'}: "), caught.value
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_names_in_files_are_for_all_of_them_or_for_each() -> None:
    said = of_line("--vectors", "a,b", "a,b", "c", "--article", "doc")
    assert said.readings(3) == (Reading("a,b", "doc"), Reading("a,b", "doc"), Reading("c", "doc"))
    with pytest.raises(UserError, match=r"--vectors: 3 names for 2 files; give one for all, or one for each in their"):
        said.readings(2)
    assert Options().readings(2) == (Reading(), Reading())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml"):
        read_campaign_file(tmp_path / "none.toml")


# -- the command line --------------------------------------------------------------------------------------------------


def test_lists_may_be_written_with_commas() -> None:
    assert of_line("--models", "amn,gru").models == of_line("--models", "amn,", "gru").models == ("amn", "gru")
    assert of_line("--seeds", "1,2,", "3").seeds == (1, 2, 3)
    assert of_line("--labels", "a", "b").labels == ("a", "b")
    folders = of_line("--arms", "expanded", "--baseline-runs", "runs,old").baseline_runs
    assert folders == ("runs,old",), "a path may contain a comma"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--models", "grru"], "--models 'grru' is not known; did you mean 'gru'"),
        (["demo", "--jobs", "many"], "--jobs: 'many' is not a whole number"),
        (
            ["run", "--models", "gru", "my.toml"],
            "--models: my.toml is taken for one of its values; name a campaign file",
        ),
        (["check", "--vectors", "emb", "a.npz"], "--vectors: a.npz is taken for one of its values; name the files"),
        (["run", "--seeds", "1", "my.toml"], "--seeds: my.toml is taken for one of its values"),
        (["demo", "--epochs", "0"], "--epochs: 0 is out of range"),
        (["demo", "--partition", "gpu"], "--partition: an option of the slurm engine; add --engine slurm"),
        (["demo", "--engine", "slurm", "--time", "soon"], "--time: 'soon'"),
        (["demo", "--engine", "slrum"], "--engine 'slrum' is not known; did you mean 'slurm'"),
        (["demo", "--baseline", "x"], "--baseline: --expanded is missing"),
    ],
)
def test_a_mistake_on_the_command_line_names_the_option(arguments: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        combine(Options(), given_options(parse(arguments)))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--modles", "gru"], "--modles: no such option, did you mean --models?"),
        (["demo", "--sede=3"], "--sede: no such option, did you mean --seeds?"),
        (["status", "--xyz"], "--xyz: no such option;"),
        (["status", "somewhere"], "somewhere: not expected here;"),
        (["run", "a.npz", "b.npz"], "b.npz: not expected here; name vector files with --baseline and --expanded;"),
        (["check", "small.npz", "--context", "5", "10"], "10: not expected here;"),
        (["stauts"], "command 'stauts' is not known; did you mean 'status'?"),
        (["report", "--format", "mdd"], "--format 'mdd' is not known; did you mean 'md'?"),
    ],
)
def test_near_names_are_suggested(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(arguments)
    told = capsys.readouterr().err
    assert left.value.code == 2 and told.count("\n") == 1 and said in told, told


@example({"arms": "\n"})
@example({"data": ["a\n", "a\n"]})
@example({"data": ["a\n.toml"]})
@example({"labels": ["a\nb", "c"]})
@example({"sizes": ["a\nb"] * 3})
@given(
    st.dictionaries(
        st.sampled_from(sorted(Options.__dataclass_fields__)),
        st.integers() | st.text() | st.booleans() | st.floats() | st.lists(st.integers() | st.text()),
    )
)
def test_any_values_are_taken_or_refused_in_one_line(values: dict[str, object]) -> None:
    try:
        options = combine(Options(), Given(values, Path("x.toml")))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert options.models and options.seeds


def test_the_demo_is_small_and_bundled() -> None:
    assert demo().baseline == demo().expanded == "bundled" and demo().size == "small" and demo().recipe == "tuned"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("--folds: needs several seeds; add --seeds 1 2 3", "{file}: folds: needs several seeds; add --seeds 1 2 3"),
        ("--batch-size 900: too large; give less", "{file}: batch-size 900: too large; give less"),
        ("--device mps: only on a Mac; give --device cpu", "--device mps: only on a Mac; give --device cpu"),
        ("--baseline and --folds are odd", "--baseline and folds are odd"),
        ("data.npz: not an archive", "data.npz: not an archive"),
    ],
)
def test_what_planning_finds_wrong_is_told_where_it_was_set(tmp_path: Path, message: str, told: str) -> None:
    """`device` is also given on the command line, which counts."""
    file = tmp_path / "c.toml"
    file.write_text('folds = true\nbatch-size = 900\ndevice = "cpu"\n')
    with pytest.raises(UserError) as caught, naming_the_file(read_campaign_file(file), Given({"device": "mps"})):
        raise UserError(message)
    assert str(caught.value) == told.format(file=file)


def test_a_size_that_cannot_be_added_is_told_by_the_option_that_asked_for_it() -> None:
    with (
        pytest.raises(UserError, match=r"^--add-sizes 160,000: only"),
        naming_the_file(Given({}), Given({"jobs": 2})),
    ):
        raise UserError("--sizes 160,000: only 9 vectors are left")
    with pytest.raises(UserError, match=r"^--sizes 3"), naming_the_file(Given({}), Given({"data": "a.npz"})):
        raise UserError("--sizes 3: too close")


def test_a_command_to_be_told_may_hold_commas(tmp_path: Path) -> None:
    assert of_file(tmp_path, "on-event = ['echo a, b', 'true']").on_event == ("echo a, b", "true")
    assert of_line("--on-event", "echo a, b").on_event == ("echo a, b",)
    with pytest.raises(UserError, match="--on-event: an empty command"):
        of_line("--on-event", " ")
    with pytest.raises(UserError, match="on-event: True is not text"):
        of_file(tmp_path, "on-event = [true]")
