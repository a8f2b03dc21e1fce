"""Lines that training scripts print, as patterns read them; and output that is cut, floods or lies."""

from __future__ import annotations

import io
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmtui.formats.patterns import LineReading, Patterns, pattern_fault
from trainers.program.output import FREE, Output, Thinned

PATTERN = r"epoch (?P<epoch>\d+).*train (?P<train_loss>\S+) val_cosine (?P<cosine>\S+)"


def read(line: str, *patterns: str) -> LineReading | None:
    return Patterns(patterns or (PATTERN,)).read(line.encode())


def test_a_line_is_read() -> None:
    found = read("[INFO] epoch 3/20 lr 1e-3 train 0.48 val_cosine 0.5123")
    assert found == LineReading(epoch=3.0, train_loss=0.48, cosine=0.5123, evaluated=True)


def test_the_first_pattern_that_is_found_counts() -> None:
    found = read("step 10 loss 2.5", PATTERN, r"step (?P<step>\d+) loss (?P<loss>\S+)")
    assert found == LineReading(step=10, train_loss=2.5)


def test_each_name_means_one_thing_whatever_else_the_line_says() -> None:
    """`loss` is that of training, as docs/your-own.md says; `val_loss` that of the validation windows."""
    assert read("e 1 l .5 c .7", r"e (?P<epoch>\d) l (?P<loss>\S+) c (?P<cosine>\S+)") == LineReading(
        epoch=1.0, train_loss=0.5, cosine=0.7, evaluated=True
    )
    assert read("l .5 v .4", r"l (?P<loss>\S+) v (?P<val_loss>\S+)") == LineReading(
        loss=0.4, train_loss=0.5, evaluated=True
    )


@pytest.mark.parametrize("epoch", ["-3", "1e9", "99999999999", "nan", "inf"])
def test_a_line_of_an_epoch_that_can_be_none_is_not_understood(epoch: str) -> None:
    assert read(f"epoch {epoch} val_cosine 0.5", r"epoch (?P<epoch>\S+) val_cosine (?P<cosine>\S+)") is None


def test_what_is_no_number_and_what_is_no_cosine() -> None:
    assert read("epoch 3 train 0.48 val_cosine n/a") is None
    assert read("nothing of the kind") is None
    percent = read("epoch 3 train 0.48 val_cosine 51.2")
    assert percent is not None and percent.cosine is None and not percent.evaluated
    assert percent.no_cosine == 51.2
    diverged = read("epoch 3 train nan val_cosine nan")
    assert diverged is not None and diverged.cosine is not None and math.isnan(diverged.cosine)


@pytest.mark.parametrize("nan", ["nan", "NaN", "-nan", "inf", "-Infinity"])
def test_a_pattern_for_digits_sees_a_run_that_diverges(nan: str) -> None:
    """Its lines were passed over, and the best cosine before the NaN was told as that of a run that had ended well."""
    for digits in (r"[\d.]+", r"-?\d\.\d{4}", r"0\.\d+"):
        pattern = rf"epoch (?P<epoch>\d+) loss (?P<loss>{digits}).* cosine (?P<cosine>{digits})"
        lost = read(f"epoch 3 loss {nan} lr 0.001 cosine {nan} nano", pattern)
        assert lost is not None and lost.evaluated and lost.epoch == 3.0
        assert lost.cosine is not None and math.isnan(lost.cosine)
        assert lost.train_loss is not None and math.isnan(lost.train_loss)
        half = read(f"epoch 3 loss {nan} lr 0.001 cosine 0.5123", pattern)
        assert half is not None and half.cosine == 0.5123
    assert read("epoch nan loss 0.5 cosine 0.5", r"epoch (?P<epoch>\d+) loss (?P<loss>\S+)") is None
    assert read("a banana and some information", r"(?P<cosine>[\d.]+)") is None


def test_faults_of_a_pattern() -> None:
    assert pattern_fault(PATTERN) == ""
    assert "not a regular expression" in pattern_fault("(?P<cosine>")
    assert "the names are step, epoch" in pattern_fault("(?P<acc>.)")
    assert "has no named group" in pattern_fault("cosine")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_left(line: bytes) -> None:
    found = Patterns([r"(?P<step>\S+) (?P<cosine>\S+)"]).read(line)
    assert found is None or found.step is None or found.step >= 0


@given(st.lists(st.integers(1, 40), max_size=20))
def test_output_cut_anywhere_says_the_same(cuts: list[int]) -> None:
    said = b"".join(b"epoch %d train 1 val_cosine 0.5\r\nmore\n" % n for n in range(1, 9))
    found: list[LineReading] = []
    log = io.BytesIO()
    output = Output(log, [PATTERN], lambda reading, line: found.append(reading))
    rest = said
    for cut in cuts:
        output.feed(rest[:cut])
        rest = rest[cut:]
    output.feed(rest)
    output.close()
    assert [r.epoch for r in found] == list(range(1, 9))
    assert log.getvalue().split() == said.replace(b"\r", b"").split()


def test_a_line_without_an_end_is_bounded() -> None:
    log, found = io.BytesIO(), list[LineReading]()
    output = Output(log, [PATTERN], lambda reading, line: found.append(reading), clock=lambda: 0.0)
    for _ in range(3000):
        output.feed(b"x" * 4096)
    output.feed(b"\nepoch 1 train 1 val_cosine 0.5\n")
    assert len(log.getvalue()) <= FREE + 4096 and len(found) == 1 and b"lines left out" in log.getvalue()


@given(st.integers(0, 5000), st.integers(2, 50))
def test_thinning_keeps_the_first_and_spreads_the_rest(count: int, limit: int) -> None:
    thinned = Thinned(limit)
    kept = [n for n in range(count) if thinned.takes()]
    assert kept == sorted(kept) and (not count or kept[0] == 0)
    assert len(kept) <= limit * (2 + math.log2(1 + count / limit))
    gaps = [b - a for a, b in itertools.pairwise(kept)]
    assert gaps == sorted(gaps)
