"""The terms that screen and report use, for the `?` page and for `docs/judgement.md` (a test compares the two)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    name: str
    meaning: str


GLOSSARY: tuple[Term, ...] = (
    Term("arm", "one of the two data sets that are compared: the baseline (small) or the expanded one (large)"),
    Term("run", "one model trained on one arm with one seed; a pair is its two runs, one on each arm"),
    Term(
        "window", "consecutive context vectors (five by default) and the vector that follows, which is to be predicted"
    ),
    Term("held-out", "windows that no run of the campaign trained or validated on; all runs are judged on them"),
    Term("cluster", "an article, or a block of about 128 consecutive vectors; it is held out as a whole"),
    Term(
        "cosine", "cosine between predicted and true next vector, averaged over windows; 1 is perfect, higher is better"
    ),
    Term("change", "held-out cosine of the expanded arm minus that of the baseline, in percent of the baseline's"),
    Term("average", "mean change over the models that were compared: the figure that answers the question"),
    Term(
        "95 % interval",
        "the range that holds the true change in 95 of 100 campaigns like this one; without zero in it the sign is "
        "known",
    ),
    Term(
        "verdict",
        "improved or regressed if the interval is clear of zero, negligible if it lies within ±0.5 %, else too close "
        "to call; it only leans with one seed; not comparable if the runs had no equal chance",
    ),
    Term(
        "trivial baseline",
        "a prediction that needs no network: copy-last, the mean of the context, the recency mean (a weighted mean of "
        "it), the constant mean, ridge regression",
    ),
    Term(
        "gain",
        "a model's cosine minus that of the best trivial baseline on the same windows; below zero it is worse than no "
        "network",
    ),
    Term(
        "hit@k, MRR",
        "share of windows whose true next vector is among the k candidates nearest to the prediction; mean of 1 / rank",
    ),
    Term(
        "margin",
        "cosine with the true next vector minus cosine with the last context vector; low values mean that the model "
        "echoes the last vector",
    ),
    Term("source", "held-out articles that the baseline's data set has, or new ones that only the expanded one has"),
)
