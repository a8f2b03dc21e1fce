"""Whether the two sources of held-out articles agree: those the baseline has, and the new ones. Pure.

The population a campaign is judged on is both together. New articles that are noise, or out of order, can pull the
change of both into "negligible" while each source says something of its own.
"""

from __future__ import annotations

import math

from lvmtui.formats.results import ALPHA, Stratum
from lvmtui.system.numbers import cosine
from lvmtui.system.student import t_quantile
from lvmtui.verdict.table import Row
from lvmtui.verdict.words import LITTLE, NEGLIGIBLE, stratum_change, stratum_words

HARDLY = 1 / 3
"""Share of the other source's cosine below which a source is called hardly predictable."""


def disagreement(row: Row, baseline: str, alpha: float = ALPHA) -> str:
    """How the two sources contradict each other, in words; empty where they do not, or where it is not known.

    They do where the difference of their changes in cosine is clear of zero and larger than what is negligible, or
    where both arms predict next to nothing in one source.
    """
    if len(row.strata) < 2:
        return ""
    first, second = row.strata
    hardly = [s for s, other in ((first, second), (second, first)) if _hardly(s, other)]
    if hardly:
        (source,) = hardly
        reached = max(source.baseline, source.expanded)
        return f"{stratum_words(source.name, baseline)} can hardly be predicted at all (cosine {cosine(reached, 2)})"
    if not _differ(first, second, row.baseline.cosine, alpha):
        return ""
    return " but ".join(f"{stratum_words(s.name, baseline)} {stratum_change(s)}" for s in row.strata)


def _hardly(source: Stratum, other: Stratum) -> bool:
    reached = max(source.baseline, source.expanded)
    return reached < LITTLE and reached < HARDLY * max(other.baseline, other.expanded)


def _differ(first: Stratum, second: Stratum, cosine: float | None, alpha: float) -> bool:
    a, b = first.difference, second.difference
    if a is None or b is None or not cosine or a.interval() is None or b.interval() is None:
        return False
    parts = ((a.standard_error or 0.0) ** 2, a.df), ((b.standard_error or 0.0) ** 2, b.df)
    variance = sum(v for v, _ in parts)
    gap = abs(b.value - a.value)
    if 100 * gap / abs(cosine) <= NEGLIGIBLE:
        return False
    if not variance:
        return True
    df = variance**2 / sum(v**2 / df for v, df in parts)
    return gap > t_quantile(alpha, df) * math.sqrt(variance)
