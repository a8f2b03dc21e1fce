"""The split: the same windows for both arms, and nothing of them in training, however hard the files try to leak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lvmtui.datasets.arm import Arm, bundled_arms, file_arm
from lvmtui.datasets.draw import SHARES, keep_held_out
from lvmtui.datasets.proof import prove
from lvmtui.datasets.split import HeldOut, Split, read_split
from lvmtui.datasets.windows import covered
from lvmtui.formats.spec import ARMS, ArmName
from lvmtui.system.errors import UserError
from tests.datasets.making import (
    arms,
    draw_split,
    library,
    near,
    save_articles,
    save_sequence,
    save_sequences,
    walk,
    windows_of,
)

ARTICLES = library(80)


def rows_of(starts: np.ndarray) -> np.ndarray:
    return np.unique(starts[:, None] + np.arange(6))


def no_leak(split: Split, baseline: Arm, expanded: Arm, folder: Path) -> None:
    """By comparing everything with everything; and the proof says the same."""
    for arm in (baseline, expanded):
        vectors, windows = arm.open().vectors.astype(np.float64), split.arms[arm.name]
        used = vectors[rows_of(np.concatenate([windows.train, windows.validation]))]
        assert (used @ split.heldout.vectors.T.astype(np.float64)).max() <= 0.9999
        train, validation = (vectors[rows_of(starts)] for starts in (windows.train, windows.validation))
        assert (train @ validation.T).max() <= 0.9999
    split.write(folder)
    proof = prove(folder, {"baseline": baseline.open(), "expanded": expanded.open()})
    assert proof.holds and str(proof).startswith("no leak")


def is_whole(split: Split, baseline: Arm, expanded: Arm) -> None:
    """Every window is accounted for, none is in two places, and the held-out ones are windows of the files."""
    for arm, counts in ((baseline, split.facts.baseline), (expanded, split.facts.expanded)):
        windows = split.arms[arm.name]
        dropped = counts.held_out + counts.gap + counts.equal_to_held_out + counts.equal_to_validation
        dropped += counts.spare
        assert counts.windows == counts.train + counts.validation + dropped
        assert (counts.train, counts.validation) == (len(windows.train), len(windows.validation))
        assert not set(windows.train.tolist()) & set(windows.validation.tolist())
        assert counts.train > 0 and counts.validation > 0
    held = split.heldout
    assert len(held.starts) == len(held.cluster) == len(held.stratum) == split.facts.windows
    assert covered(held.starts, len(held.vectors), 5).all(), "only vectors that are needed"
    pool = np.concatenate([baseline.open().vectors, expanded.open().vectors])
    assert ((held.vectors @ pool.T).max(axis=1) > 0.99999).all()
    assert split.facts.clusters == len(split.facts.cluster_names) == len(set(held.cluster.tolist()))


# -- files that try to make it leak --------------------------------------------------------------------------------

Files = Callable[[Path], tuple[Path, Path]]


def prefix(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[:30]), save_articles(at / "e.npz", ARTICLES)


def not_a_prefix(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[25:60]), save_articles(at / "e.npz", ARTICLES)


def overlapping(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", library(20, 7) + ARTICLES[:20]), save_articles(at / "e.npz", ARTICLES)


def shuffled(at: Path) -> tuple[Path, Path]:
    order = np.random.default_rng(1).permutation(80)
    return save_articles(at / "b.npz", ARTICLES[:30]), save_articles(at / "e.npz", [ARTICLES[i] for i in order])


def duplicated(at: Path) -> tuple[Path, Path]:
    """Half of the articles come back under other titles, some as float16, and one paragraph is in all of them."""
    noisy = [a.astype("f2").astype("f4") for a in ARTICLES[:40]]
    everywhere = [np.concatenate([a, ARTICLES[0][:6]]) for a in ARTICLES]
    other = save_articles(at / "b.npz", ARTICLES[:30], prefix="Other")
    return other, save_articles(at / "e.npz", everywhere + noisy, prefix="Copy", form="float32")


def quantised_baseline(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[10:40], "int8"), save_articles(at / "e.npz", ARTICLES)


def half_baseline(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[10:40], "float16"), save_articles(at / "e.npz", ARTICLES)


def unnormalised_baseline(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[10:40], "long"), save_articles(at / "e.npz", ARTICLES, "int8")


def one_vector_a_thousand_times(at: Path) -> tuple[Path, Path]:
    one = np.repeat(walk(1, 99), 1000, axis=0)
    sprinkled = [np.concatenate([a, one[:1]]) if i % 4 == 0 else a for i, a in enumerate(ARTICLES)]
    return save_articles(at / "b.npz", sprinkled[:30]), save_articles(at / "e.npz", [*sprinkled, one])


def the_same_in_a_sequence(at: Path) -> tuple[Path, Path]:
    one = np.repeat(walk(1, 99), 1000, axis=0)
    sequence = np.concatenate([walk(1500, 1), one, walk(1500, 2)])
    return save_sequence(at / "b.npz", sequence[:1700]), save_sequence(at / "e.npz", sequence)


def sequences(at: Path) -> tuple[Path, Path]:
    return save_sequence(at / "b.npz", walk(4000)[:1500]), save_sequence(at / "e.npz", walk(4000))


def sequences_out_of_step(at: Path) -> tuple[Path, Path]:
    np.save(at / "b.npy", walk(4000)[857:2500].astype("f2"))
    return at / "b.npy", save_sequence(at / "e.npz", walk(4000))


def articles_against_a_sequence(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", ARTICLES[20:50]), save_sequence(at / "e.npz", np.concatenate(ARTICLES))


def a_sequence_against_articles(at: Path) -> tuple[Path, Path]:
    sequence = save_sequence(at / "b.npz", np.concatenate(ARTICLES)[300:1500])
    return sequence, save_articles(at / "e.npz", ARTICLES)


def loose_windows(at: Path) -> tuple[Path, Path]:
    """A tenth of all windows, in any order: most overlap with another, none follows the one before it."""
    contexts, targets = windows_of(walk(12_000))
    some = np.random.default_rng(0).permutation(len(targets))[:1200]
    return (
        save_sequences(at / "b.npz", contexts[some[:500]], targets[some[:500]]),
        save_sequences(at / "e.npz", contexts[some], targets[some]),
    )


def nothing_in_common(at: Path) -> tuple[Path, Path]:
    return save_articles(at / "b.npz", library(30, 5), prefix="Other"), save_articles(at / "e.npz", ARTICLES)


FILES: list[Files] = [
    prefix,
    not_a_prefix,
    overlapping,
    shuffled,
    duplicated,
    quantised_baseline,
    half_baseline,
    unnormalised_baseline,
    one_vector_a_thousand_times,
    the_same_in_a_sequence,
    sequences,
    sequences_out_of_step,
    articles_against_a_sequence,
    a_sequence_against_articles,
    loose_windows,
    nothing_in_common,
]


@pytest.mark.parametrize("cross_articles", [False, True])
@pytest.mark.parametrize("files", FILES, ids=lambda f: f.__name__)
def test_nothing_leaks(tmp_path: Path, files: Files, cross_articles: bool) -> None:
    baseline, expanded = arms(tmp_path, *files(tmp_path), normalise=True)
    split = draw_split(baseline, expanded, seed=3, cross_articles=cross_articles)
    is_whole(split, baseline, expanded)
    no_leak(split, baseline, expanded, tmp_path / "split")


# -- what is held out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("equal", "titles"), [(0, True), (20, False)])
def test_a_text_that_was_embedded_in_another_way_is_held_out_in_both_files(
    tmp_path: Path, equal: int, titles: bool
) -> None:
    """By its title, or by its number where the numbers of other articles mean the same in both."""
    small = [a if i < equal else near(a, 0.8, i) for i, a in enumerate(ARTICLES[:30])]
    for name, texts in (("b.npz", small), ("e.npz", ARTICLES)):
        with np.load(save_articles(tmp_path / name, texts)) as saved:
            np.savez(tmp_path / name, **{k: v for k, v in saved.items() if titles or k != "titles"})
    both = arms(tmp_path, tmp_path / "b.npz", tmp_path / "e.npz", normalise=True)
    split = draw_split(*both, seed=3)
    held = {int(name.rpartition(" ")[2]) for name in split.facts.cluster_names}
    assert len(held) == split.facts.clusters and len([n for n in held if equal <= n < 30]) > 1
    for arm in both:
        windows, article_of = split.arms[arm.name], arm.open().article_of
        assert article_of is not None
        assert not held & set(article_of[rows_of(np.concatenate([windows.train, windows.validation]))].tolist())


@pytest.mark.parametrize("files", [prefix, not_a_prefix, shuffled, quantised_baseline], ids=lambda f: f.__name__)
def test_what_both_arms_have_is_the_same_cluster_in_both(tmp_path: Path, files: Files) -> None:
    """Whole articles: held out in both arms or in none, validation in both or in none."""
    baseline, expanded = arms(tmp_path, *files(tmp_path))
    split = draw_split(baseline, expanded, seed=0)
    small, large = baseline.open(), expanded.open()
    same = (small.vectors @ large.vectors.T).argmax(axis=1)

    def articles(rows: np.ndarray) -> set[int]:
        assert large.article_of is not None
        return set(large.article_of[rows].tolist())

    mine = articles(same)
    for kind in ("train", "validation"):
        of_base, of_full = getattr(split.arms["baseline"], kind), getattr(split.expanded, kind)
        assert articles(same[of_base]) == articles(of_full) & mine
    assert not articles(same[split.arms["baseline"].train]) & articles(split.expanded.validation)


def test_the_share_and_the_strata(tmp_path: Path) -> None:
    baseline, expanded = arms(tmp_path, *sequences(tmp_path))
    facts = draw_split(baseline, expanded, seed=0).facts
    assert facts.share in SHARES
    # six of the 128 starts of a block reach over its end
    assert 0.7 * facts.share < facts.windows / facts.expanded.windows < 1.2 * facts.share
    assert facts.windows_own / facts.windows == pytest.approx(1500 / 4000, abs=0.15)
    assert facts.clusters_own and facts.clusters > facts.clusters_own
    assert all(name.startswith("vectors ") for name in facts.cluster_names)


def test_strata_say_where_a_window_is_from(tmp_path: Path) -> None:
    baseline, expanded = arms(tmp_path, *overlapping(tmp_path))
    held = draw_split(baseline, expanded, seed=0).heldout
    in_baseline = ((held.vectors @ baseline.open().vectors.T).max(axis=1) > 0.9999)[held.starts]
    assert np.array_equal(in_baseline, held.stratum == 0) and 0 < in_baseline.sum() < len(in_baseline)


def test_windows_of_the_baseline_alone_are_held_out_too(tmp_path: Path) -> None:
    baseline, expanded = arms(tmp_path, *nothing_in_common(tmp_path))
    split = draw_split(baseline, expanded, seed=0)
    of_baseline = (split.heldout.vectors @ baseline.open().vectors.T).max(axis=1) > 0.9999
    assert 0 < of_baseline.sum() < len(of_baseline)
    assert split.facts.baseline.held_out and split.facts.expanded.held_out


def test_five_vectors_are_left_out_on_each_side_of_a_block(tmp_path: Path) -> None:
    baseline, expanded = arms(tmp_path, *sequences(tmp_path))
    split, vectors = draw_split(baseline, expanded, seed=0), expanded.open().vectors
    held = np.flatnonzero((vectors @ split.heldout.vectors.T).max(axis=1) > 0.9999)
    for starts in (split.expanded.train, split.expanded.validation):
        used = rows_of(starts)
        assert np.abs(used[:, None] - held[None]).min() > 5
    train, validation = rows_of(split.expanded.train), rows_of(split.expanded.validation)
    assert np.abs(train[:, None] - validation[None]).min() > 5


def test_an_article_under_two_titles_is_one_cluster(tmp_path: Path) -> None:
    twice = [a.astype("f2").astype("f4") for a in ARTICLES]
    paths = save_articles(tmp_path / "b.npz", ARTICLES[:30]), save_articles(tmp_path / "e.npz", ARTICLES + twice)
    split = draw_split(*arms(tmp_path, *paths), seed=0)
    held = split.heldout
    same = held.vectors[held.starts] @ held.vectors[held.starts].T > 0.9999
    pairs = np.argwhere(same)
    assert len(pairs) == 2 * 2 * len(held.starts) / 2, "each window and its copy"
    assert np.array_equal(held.cluster[pairs[:, 0]], held.cluster[pairs[:, 1]])
    assert split.facts.expanded.equal_to_held_out == 0


def test_the_draw_follows_the_seed_and_nothing_else(tmp_path: Path) -> None:
    pair = arms(tmp_path, *overlapping(tmp_path))
    one, again, other = (draw_split(*pair, seed=s) for s in (1, 1, 2))
    assert one.facts == again.facts and one.facts.fingerprint != other.facts.fingerprint
    assert np.array_equal(one.expanded.train, again.expanded.train)


def test_of_many_validation_windows_an_even_part_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = arms(tmp_path, *prefix(tmp_path))
    every = draw_split(*pair, seed=0)
    found = len(every.expanded.validation)
    assert every.facts.expanded.spare == 0 and found > 100
    monkeypatch.setattr("lvmtui.datasets.draw.VALIDATION_WINDOWS", 50)
    part = draw_split(*pair, seed=0)
    counts = part.facts.expanded
    assert counts.validation == 50 and counts.spare == found - 50
    places = np.searchsorted(every.expanded.validation, part.expanded.validation)
    assert np.array_equal(every.expanded.validation[places], part.expanded.validation)
    assert set(np.diff(places)) <= {found // 50, found // 50 + 1}, "evenly spread"
    assert np.array_equal(part.expanded.train, every.expanded.train), "the spare ones are not trained on"
    is_whole(part, *pair)
    no_leak(part, *pair, tmp_path / "part")


def test_the_order_of_the_articles_does_not_matter(tmp_path: Path) -> None:
    plain, mixed = tmp_path / "plain", tmp_path / "mixed"
    plain.mkdir()
    mixed.mkdir()
    one = draw_split(*arms(plain, *prefix(plain)), seed=0)
    other = draw_split(*arms(mixed, *shuffled(mixed)), seed=0)

    def content(held: HeldOut) -> set[bytes]:
        return {row.tobytes() for row in held.vectors[held.starts]}

    assert content(one.heldout) == content(other.heldout)


@pytest.mark.parametrize("kind", ["articles", "sequence"])
def test_data_added_at_the_end_moves_few_clusters(tmp_path: Path, kind: str) -> None:
    def held(count: int) -> set[str]:
        if kind == "articles":
            small = save_articles(tmp_path / "b.npz", library(400)[:100])
            large = save_articles(tmp_path / f"{count}.npz", library(count))
        else:
            small = save_sequence(tmp_path / "b.npz", walk(8000)[:3000])
            large = save_sequence(tmp_path / f"{count}.npz", walk(20 * count))
        return set(draw_split(*arms(tmp_path, small, large), seed=0).facts.cluster_names)

    before, after = held(400), held(440)
    assert len(before - after) <= 0.2 * len(before)


def test_few_or_no_clusters_are_refused(tmp_path: Path) -> None:
    one, periodic = save_articles(tmp_path / "b.npz", ARTICLES[:1]), np.tile(walk(40), (60, 1))
    for others, why in ((ARTICLES[:2], "and e.npz: only 2 articles"), (ARTICLES[1:], "windows none stand in")):
        with pytest.raises(UserError, match=f"b.npz.* {why}.* give (a )?larger file"):
            draw_split(*arms(tmp_path, one, save_articles(tmp_path / "e.npz", others)), seed=0)
    paths = save_sequence(tmp_path / "b.npz", periodic[:900]), save_sequence(tmp_path / "e.npz", periodic)
    with pytest.raises(UserError, match=r"98% of the vectors of e.npz repeat others, leave the copies out"):
        draw_split(*arms(tmp_path, *paths), seed=0)


@pytest.mark.parametrize("own", ARMS)
@pytest.mark.parametrize("files", [prefix, overlapping, duplicated, sequences_out_of_step], ids=lambda f: f.__name__)
def test_an_earlier_held_out_set_serves_another_expanded_arm(tmp_path: Path, files: Files, own: ArmName) -> None:
    first = draw_split(*(pair := arms(tmp_path, *files(tmp_path))), seed=0)
    if files is sequences_out_of_step:
        larger = save_sequence(tmp_path / "larger.npz", np.concatenate([walk(900, 8), walk(4000)[:3900], walk(900, 9)]))
    else:
        order = np.random.default_rng(2).permutation(80)
        larger = save_articles(tmp_path / "larger.npz", library(40, 6) + [ARTICLES[i] for i in order], "float16")
    trained = replace(pair[ARMS.index(own)], name="baseline")
    expanded = file_arm("expanded", larger, tmp_path, normalise=True)
    kept = keep_held_out(first, own, trained, expanded, seed=1)
    assert kept.facts.fingerprint == kept.heldout.fingerprint == first.facts.fingerprint
    assert np.array_equal(kept.arms["baseline"].train, first.arms[own].train)
    assert kept.facts.expanded.held_out > 0 and len(kept.expanded.train) > len(kept.heldout.starts)
    no_leak(kept, trained, expanded, tmp_path / "kept")


# -- the bundled arms ----------------------------------------------------------------------------------------------


def test_the_bundled_arms(tmp_path: Path) -> None:
    baseline, expanded = bundled_arms(tmp_path)
    assert (baseline.label, expanded.label, baseline.vectors, expanded.vectors) == ("8k", "23k", 8280, 23264)
    store = expanded.open()
    assert len(store.window_starts(5)) == 18_815 and len(store.window_starts(5, cross_articles=True)) == 23_259
    assert store.titles[0] == "Anarchism" and len(store.titles) == 890
    split = draw_split(baseline, expanded, seed=0)
    facts = split.facts
    assert facts.share == SHARES[-1], "few clusters of very unequal size"
    assert 0.17 < facts.windows / 18_815 < 0.23
    assert facts.windows_own / facts.windows == pytest.approx(8_075 / 18_815, abs=0.05)
    split.write(tmp_path / "split")
    assert prove(tmp_path / "split", {"baseline": baseline.open(), "expanded": store}).holds


# -- files ---------------------------------------------------------------------------------------------------------


def drawn(tmp_path: Path) -> tuple[Split, Arm, Arm]:
    baseline, expanded = arms(tmp_path, *overlapping(tmp_path))
    split = draw_split(baseline, expanded, seed=0)
    split.write(tmp_path / "split")
    return split, baseline, expanded


def test_a_split_is_read_as_it_was_written(tmp_path: Path) -> None:
    split, *_ = drawn(tmp_path)
    read = read_split(tmp_path / "split")
    assert read.facts == split.facts and read.heldout.fingerprint == split.facts.fingerprint
    for name in ARMS:
        assert np.array_equal(read.arms[name].train, split.arms[name].train)
        assert np.array_equal(read.arms[name].validation, split.arms[name].validation)


@pytest.mark.parametrize("name", ["heldout_windows.npz", "expanded.npz", "split.json"])
def test_a_split_that_was_touched_is_refused(tmp_path: Path, name: str) -> None:
    drawn(tmp_path)
    path = tmp_path / "split" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=name):
        read_split(tmp_path / "split")
    path.unlink()
    with pytest.raises(UserError, match=name):
        read_split(tmp_path / "split")
