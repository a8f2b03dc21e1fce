"""What a model still learns from more data: its held-out error over the number of training windows. Pure.

The error is e = 1 - cosine. Errors of neural networks fall with the number of training examples n as

    e(n) = e_inf + b n^-c

(Cortes et al. 1994, "Learning curves"; Hestness et al. 2017, "Deep learning scaling is predictable, empirically",
section 2). Measured exponents lie between .05 and .5, and learning theory has none above 1 for a model of fixed form,
so c is taken from 0 to 1. At c = 0 the curve is a straight line in log n: each doubling brings the same. With the
exponent given, the curve is linear in the others, here the error at the largest size and the worth of a doubling

    D = e(n) - e(2 n)   at the largest n.

The fit is generalised least squares. The covariance comes from the influence of each cluster on each size, which is
what leaving that cluster out would change (CR2, see `interval.py`), and from seeds. It is used in three parts: what all
sizes share, which drops out; a slope in log n, as some articles gain more from data than others; and the rest, size by
size. No exponent is chosen: the interval holds every D that some exponent makes plausible (profile likelihood; Venzon
and Moolgavkar 1988), with the quantile of F(1, df) in place of chi-square. docs/judgement.md ("The learning curve") has
the reasons, what is said, and the coverage as measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from lvmtui.formats.learning_curve import FLAT, LEAST_SIZES, Word
from lvmtui.formats.results import ALPHA, LEAST_DF, Interval
from lvmtui.verdict.average import satterthwaite
from lvmtui.verdict.interval import Design

Floats = npt.NDArray[np.float64]

EXPONENTS: Floats = np.linspace(0, 1, 101)
SCATTER = 0.02
"""p-value below which the sizes scatter more around the curve than their errors explain."""
UPWARDS = (-0.25, -0.5, -1.0)
"""Exponents at which each doubling brings more than the one before; at -1 twice as much, as the error falls with n."""
FARTHEST = 10.0
"""How many times the largest size the curve is extrapolated to at most."""
STEPS = 121
"""Factors or sizes that are looked at between two ends."""


@dataclass(frozen=True)
class Measured:
    """A model's held-out errors at S sizes, smallest first."""

    windows: Floats
    """(S,) training windows."""
    error: Floats
    """(S,) 1 - cosine, weighted mean over held-out windows, mean over seeds."""
    influence: Floats
    """(G, S) how far each cluster moves each error; the sum of their outer products is the covariance (CR2)."""
    cluster_df: float
    """Degrees of freedom of that covariance."""
    training: Floats
    """(S,) variance that training adds to each error, independent between sizes; zeros with one seed."""
    training_df: float

    @property
    def covariance(self) -> Floats:
        """(S, S) covariance of the errors."""
        return np.asarray(self.influence.T @ self.influence + np.diag(self.training))

    def standard_error(self, weights: Floats) -> tuple[float, float]:
        """Standard error of the errors' sum with weights (S,), and its degrees of freedom (Satterthwaite 1946)."""
        clusters = float(np.sum((self.influence @ weights) ** 2))
        training = float(self.training @ weights**2)
        variance, df = satterthwaite((clusters, self.cluster_df), (training, self.training_df))
        return float(np.sqrt(variance)), df

    @property
    def whiskers(self) -> Floats:
        """(S,) half-width of each error's 95 % interval, relative to the mean over sizes.

        What all sizes share is left out, because it moves the whole curve."""
        size = len(self.error)
        found = [self.standard_error(row) for row in np.eye(size) - 1 / size]
        return np.array([stats.t.ppf(1 - ALPHA / 2, df) * error if df >= LEAST_DF else np.inf for error, df in found])

    def less(self, other: Measured) -> Measured:
        """These errors minus those of another model at the same sizes."""
        _, df = satterthwaite(*((float(one.training.sum()), one.training_df) for one in (self, other)))
        return Measured(
            windows=self.windows,
            error=self.error - other.error,
            influence=self.influence - other.influence,
            cluster_df=self.cluster_df,
            training=self.training + other.training,
            training_df=df,
        )


def measure(design: Design, windows: Sequence[float], scores: Sequence[Sequence[Sequence[Floats]]]) -> Measured:
    """The errors of one model.

    `windows` (S,): training windows. `scores[size][seed]`: cosines (W,) of every held-out window, one array per fold of
    `design`: with one fold the seeds share their windows; with folds each seed has one, in a single "seed" of F arrays.
    """
    pooled = [
        [np.mean([1 - np.asarray(seed[f], np.float64) for seed in seeds], axis=0) for f in range(len(design.share))]
        for seeds in scores
    ]
    effects = [design.effects(one) for one in pooled]
    influence = np.array([e.influence for e in effects]).T
    if len(design.share) > 1:
        between = np.array([e.change for e in effects]).T
        fold = np.array(effects[0].fold)
        within = [float(np.sum(_apart(influence[fold == f]) ** 2)) / a**2 for f, a in enumerate(design.share)]
        several, df = _scatter(between)
        spread = np.full_like(several, max(0.0, float(several.mean()) - float(np.mean(within)) / (len(scores) - 1)))
        training = spread * float(np.sum(np.asarray(design.share) ** 2))
    else:
        by_seed = np.array([[1 - design.mean(seed) for seed in seeds] for seeds in scores]).T
        several, df = _scatter(by_seed) if len(by_seed) > 1 else (np.zeros(len(scores)), 0.0)
        training = several / max(1, len(by_seed))
    return Measured(
        windows=np.asarray(windows, np.float64),
        error=np.array([e.value for e in effects]),
        influence=influence,
        cluster_df=effects[0].cluster_df,
        training=training,
        training_df=df,
    )


def _apart(rows: Floats) -> Floats:
    """Rows (K, S), each minus its mean over sizes."""
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _scatter(errors: Floats) -> tuple[Floats, float]:
    """Variance (S,) of one run's error beside what the sizes of its seed share, from errors (K, S), and its degrees of
    freedom. Each size's own is known by K - 1 degrees of freedom, so it is shrunk half way to the mean of all."""
    seeds, sizes = errors.shape
    rest = _apart(errors)
    own = ((rest - rest.mean(axis=0)) ** 2).sum(axis=0) / (seeds - 1) * sizes / (sizes - 1)
    return (own + own.mean()) / 2, float((seeds - 1) * (sizes - 1))


# The curve -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gain:
    """What more data would bring: the fall of the error, which is the gain in cosine."""

    value: float
    low: float
    high: float
    """The 95 % interval; infinite where nothing bounds it."""

    def times(self, factor: float) -> Gain:
        return Gain(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class FittedCurve:
    """The fitted curve of one model: the rest of the fit for each of the C `EXPONENTS`."""

    measured: Measured
    weights: Floats
    """(C, S) weights of the errors in the worth of a doubling."""
    doubling: Floats
    """(C,) worth of a doubling, in cosine."""
    error: Floats
    """(C,) its standard error."""
    last: Floats
    """(C,) fitted error at the largest size."""
    last_weights: Floats
    """(C, S) weights of the errors in it."""
    misfit: Floats
    """(C,) chi-square of the errors around the curve, after widening."""
    df: float
    """Degrees of freedom of the errors' covariance."""
    scatter_df: float
    """Those of the errors after widening: where most of them is scatter, they are as uncertain as that is."""
    fits: float
    """p-value of the scatter around the best curve (of three sizes a line) before widening; 1 where df are lacking."""
    widened: float
    """Factor that widens all standard errors, because the sizes scatter more than these explain."""
    bends_up: bool
    """Larger sizes bring clearly more with each doubling than smaller ones, which no exponent allows."""

    @property
    def best(self) -> int:
        """Index of the exponent that fits best."""
        return int(self.misfit.argmin())

    @property
    def exponent(self) -> float:
        return float(EXPONENTS[self.best])

    @property
    def floor(self) -> float | None:
        """e_inf; None for a straight line in log n, which has none."""
        c = self.exponent
        return float(self.last[self.best] - self.doubling[self.best] / (1 - 2**-c)) if c > 0 else None

    @property
    def scale(self) -> float:
        """b of e_inf + b n^-c; for a straight line the fall of the error with each doubling."""
        c, largest = self.exponent, float(self.measured.windows[-1])
        d = float(self.doubling[self.best])
        return d / (1 - 2**-c) * largest**c if c > 0 else d

    @property
    def span(self) -> float:
        """How many times larger the largest size is than the smallest."""
        return float(self.measured.windows[-1] / self.measured.windows[0])

    @property
    def plausible_exponents(self) -> Interval:
        """The 95 % interval of the exponent."""
        inside = EXPONENTS[self.room(ALPHA) >= 0]
        return float(inside[0]), float(inside[-1])

    def at(self, windows: Floats) -> Floats:
        """Fitted errors at these numbers of training windows."""
        steps = _shape(windows / self.measured.windows[-1], self.exponent)
        return np.asarray(self.last[self.best] + self.doubling[self.best] * steps)

    def gain(self, factor: float) -> Gain:
        """What `factor` times the largest size would bring, in cosine; with `inf`, all that any amount of data can. An
        end of the interval is at most what is left to a cosine of 1."""
        times = self.doublings(factor)
        room = self.room(ALPHA)
        inside = room >= 0
        half = np.sqrt(np.maximum(room, 0)) * self.error
        with np.errstate(invalid="ignore"):
            low, high = (self.doubling - half) * times, (self.doubling + half) * times
        value = float(self.doubling[self.best] * times[self.best])
        most = float(np.nanmax(high[inside]))
        most = min(most, float(self.measured.error[-1])) if np.isfinite(most) else most
        return Gain(value, float(np.nanmin(low[inside])), most)

    def doublings(self, factor: float) -> Floats:
        """(C,) gain of `factor` times the data, in worths of the next doubling."""
        if np.isinf(factor):
            with np.errstate(divide="ignore"):
                return np.where(EXPONENTS > 0, 1 / (1 - 2.0**-EXPONENTS), np.inf)
        return np.array([-_shape(np.array([factor]), float(c))[0] for c in EXPONENTS])

    @property
    def farthest(self) -> float:
        """How many times the largest size the curve is carried to at most, see `refuses`."""
        return min(2.0 if len(self.measured.error) == LEAST_SIZES else FARTHEST, self.span)

    def refuses(self, factor: float) -> str:
        """Why nothing can be said of `factor` times the largest size; empty where it can."""
        if self.df < LEAST_DF:
            return "too few articles or seeds to know the error of the curve"
        if factor > 2 and len(self.measured.error) == LEAST_SIZES:
            return "three sizes do not show how a curve bends, so it is not carried farther than twice the largest"
        if min(factor, FARTHEST) > self.span:
            span = f"the sizes span a factor of {self.span:.3g} in training windows (means over seeds)"
            return f"{span}, and a curve is not carried farther than that"
        if np.isinf(factor) and self.room(ALPHA)[0] >= 0:
            return "a straight line in log n fits too, so these sizes do not show where the curve levels off"
        if self.gain(factor).value > self.measured.error[-1]:
            return "the curve would pass a cosine of 1, so these sizes do not show where it levels off"
        return ""

    def room(self, alpha: float) -> Floats:
        """(C,) how much of the allowed misfit each exponent leaves; where negative, it is not plausible."""
        allowed = float(stats.f.ppf(1 - alpha, 1, self.scatter_df)) if self.df > 0 else np.inf
        return np.asarray(allowed - (self.misfit - self.misfit.min()))

    def word(self, cosine: float) -> tuple[Word, str]:
        """The answer for the model, with the reason where there is none. `cosine`: at the largest size."""
        if reason := self.refuses(2):
            return "cannot tell", reason
        percent = self.gain(2).times(100 / max(abs(cosine), 1e-6))
        if percent.low > -FLAT and percent.high < FLAT:
            return "flat", ""
        if percent.high < 0:
            return "falling", ""
        if percent.low <= 0:
            wide = "the interval of a doubling's worth contains zero and is not narrow"
            upwards = "the curve bends upwards: later doublings bring more, which no curve of this form does"
            return "cannot tell", upwards if self.bends_up else wide
        bends = self.room(2 * ALPHA)[0] < 0  # a straight line in log n is excluded (5 %, one side)
        halved = self.exponent * np.log2(self.span / 2) > 1  # the last doubling brought less than half of the first
        return ("flattening" if bends and halved else "still rising"), ""


def _shape(times: Floats, c: float) -> Floats:
    """Error at `times` the largest size minus the error there, in worths of a doubling."""
    steps = np.log2(times)
    return np.asarray((2.0 ** (-c * steps) - 1) / (1 - 2.0**-c) if c else -steps)


def fit(measured: Measured) -> FittedCurve:
    """Fit the curve to S >= 3 sizes. Raises ValueError for fewer."""
    sizes = len(measured.error)
    if sizes < LEAST_SIZES:
        raise ValueError(f"a curve needs {LEAST_SIZES} sizes or more, not {sizes}")
    covariance, df = _modelled(measured)
    inverse = np.linalg.inv(covariance)
    times = measured.windows / measured.windows[-1]
    exponents, n = (*EXPONENTS, *UPWARDS), len(EXPONENTS)
    columns = np.array([np.column_stack([np.ones(sizes), _shape(times, float(c))]) for c in exponents])  # (C, S, 2)
    weighted = columns.swapaxes(1, 2) @ inverse
    spread = np.linalg.inv(weighted @ columns)
    solve = spread @ weighted
    last, doubling = (solve @ measured.error).T
    rest = measured.error - (columns @ np.stack([last, doubling], axis=1)[..., None])[..., 0]
    misfit, upwards = np.split(np.sum((rest @ inverse) * rest, axis=1), [n])
    # With one seed the training of each size adds scatter that no error covers, and a curve may be of another form. As
    # the Particle Data Group does (Birge 1932), errors are then widened until they explain what is seen. Around three
    # sizes a curve of three parameters has no scatter, so there it is that around a straight line.
    scatter, left = (misfit.min(), sizes - 3) if sizes > LEAST_SIZES else (misfit[0], 1)
    p = float(stats.f.sf(scatter / left, left, df)) if df > 0 else 1.0
    only_scatter = sizes > LEAST_SIZES and not measured.training.any()  # shows what training adds
    added = max(0.0, float(scatter) / left - 1) if p < SCATTER or only_scatter else 0.0
    scatter_df = satterthwaite((1.0, df), (added, left))[1] if only_scatter else df  # known from a few sizes only
    widened = float(np.sqrt(1 + added))
    return FittedCurve(
        measured=measured,
        weights=solve[:n, 1],
        doubling=doubling[:n],
        error=np.sqrt(spread[:n, 1, 1]) * widened,
        last=last[:n],
        last_weights=solve[:n, 0],
        misfit=misfit / widened**2,
        df=df,
        scatter_df=scatter_df,
        fits=p,
        widened=widened,
        bends_up=bool(df > 0 and misfit.min() - upwards.min() > stats.f.ppf(1 - ALPHA, 1, df)),
    )


LEAST_VARIANCE = 1e-14
"""Least variance of a size's error, from single precision. Sizes equal to the bit would otherwise have none."""


def _modelled(measured: Measured) -> tuple[Floats, float]:
    """The covariance (S, S) of the errors without what all sizes share, and its degrees of freedom.

    A slope in log n, and each size for itself, drawn half way to the mean: S (S + 1) / 2 free numbers from some twenty
    effective articles would make intervals that are too narrow.
    """
    full = measured.covariance
    steps = np.log2(measured.windows)
    columns = np.column_stack([np.ones(len(steps)), steps])
    off = np.eye(len(steps)) - columns @ np.linalg.pinv(columns)
    own = np.diag(off @ full @ off) / np.maximum(np.diag(off), 1e-9)
    mean = float(np.trace(off @ full @ off)) / max(1, len(steps) - 2)
    own = np.maximum((np.maximum(own, 0) + mean) / 2, LEAST_VARIANCE)
    slope = steps - steps.mean()
    slope = slope / np.linalg.norm(slope)
    more = max(0.0, float(slope @ full @ slope) - float(own @ slope**2))
    return np.diag(own) + more * np.outer(slope, slope), measured.standard_error(slope)[1]
