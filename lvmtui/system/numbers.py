"""Figures as people read them, the same on screens, in reports and in logs. Pure."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean


def finite(value: float | None) -> float | None:
    """`value`, or None where it is missing or no number to compare with."""
    return value if value is not None and math.isfinite(value) else None


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are known and finite."""
    known = [value for value in map(finite, values) if value is not None]
    return fmean(known) if known else None


def duration(seconds: float | None) -> str:
    """`41 s`, `1 m 32 s`, `2 h 05 m`, `3 d 4 h`; a dash where it is not known."""
    return _in_units(seconds, "{} s", "{} m {:02d} s", "{} h {:02d} m", "{} d {} h")


def short_duration(seconds: float | None) -> str:
    """The same in at most six characters: `41s`, `1m32`, `2h05`, `3d4h`."""
    return _in_units(seconds, "{}s", "{}m{:02d}", "{}h{:02d}", "{}d{}h")


def _in_units(seconds: float | None, below_a_minute: str, below_an_hour: str, below_two_days: str, longer: str) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return below_a_minute.format(whole)
    if whole < 3600:
        return below_an_hour.format(*divmod(whole, 60))
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return below_two_days.format(*divmod(minutes, 60))
    return longer.format(*divmod(minutes // 60, 24))


def cosine(value: float | None, digits: int = 4) -> str:
    """`.5189`, `−.0312`: the leading zero says nothing."""
    return signed(value, digits, plus="")


def signed(value: float | None, digits: int = 4, plus: str = "+") -> str:
    """`+.0090`, `−.0312`, `.0000`: a difference of cosines, with the sign of the digits that are shown."""
    if value is None or not math.isfinite(value):
        return "–"
    return _sign(value, digits, plus) + f"{abs(value):.{digits}f}".removeprefix("0")


def percent(value: float | None, digits: int = 2) -> str:
    """`+1.54 %`, `0.00 %`, with the sign of the digits that are shown; `value` is in percent already."""
    return "–" if value is None or not math.isfinite(value) else f"{_sign(value, digits, '+')}{abs(value):.{digits}f} %"


def _sign(value: float, digits: int, plus: str) -> str:
    """The sign of `value` rounded to `digits`: none for what is shown as zero."""
    shown = float(f"{value:.{digits}f}")
    return "−" if shown < 0 else plus if shown > 0 else ""


def rounded_down(value: float) -> str:
    """`2.9`, of 2.99: rounded up it could look like the 3 that are needed."""
    return f"{math.floor(10 * value + 1e-9) / 10:.1f}"


def count(value: float | None) -> str:
    """`412`, `8.3 k`, `1.5 M`, `67.4 M`, `2.1 G`."""
    if value is None or not math.isfinite(value):
        return "–"
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == ' k' else limit):.1f}{unit}"
    return f"{value:.0f}"


def size(amount: float | None) -> str:
    """Bytes: `512 B`, `8.4 MB`, `1.29 GB`."""
    if amount is None or not math.isfinite(amount):
        return "–"
    for limit, unit, digits in ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0)):
        if abs(amount) >= limit:
            return f"{amount / limit:.{digits}f} {unit}"
    return f"{amount:.0f} B"


def clock(when: float | None, *, seconds: bool = False) -> str:
    """`14:32` or `14:32:05`, local time."""
    return "–" if when is None else time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(when))


def date(when: float | None) -> str:
    """`2026-11-22 14:32:05`, local time."""
    return "–" if when is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def spread(values: Iterable[float], show: Callable[[float], str] = "{:,}".format) -> str:
    """`721 to 1,274`: the least and the most; `721` where they read alike, and nothing for no values."""
    ordered = sorted(values)
    return " to ".join(dict.fromkeys(map(show, ordered[:1] + ordered[-1:])))


def plural(number: int, noun: str) -> str:
    """`1 run`, `3 runs`, `2 processes`."""
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("s") else "s")


def numbered(numbers: Sequence[int], what: str) -> str:
    """`process 48213`, `jobs 4711, 4712`."""
    more = {"process": "processes"}.get(what, f"{what}s")
    return f"{what if len(numbers) == 1 else more} {', '.join(map(str, numbers))}"
