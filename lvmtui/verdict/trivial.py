"""The trivial baselines by the names people use. Pure."""

from __future__ import annotations

from lvmtui.system.text import sanitise

TRIVIAL_TITLES = {
    "copy_last": "copy-last",
    "mean": "mean of the context",
    "recency_mean": "recency mean",
    "constant_mean": "constant mean",
    "ridge": "ridge",
}
WITHOUT_ARTICLE = frozenset({"copy_last", "ridge"})
"""Names of methods; the others are things."""


def trivial_title(name: str) -> str:
    """The name of a trivial baseline as people write it."""
    return TRIVIAL_TITLES.get(name, sanitise(name.replace("_", " "), 60))


def short_trivial(name: str) -> str:
    """The name in at most 12 characters, for the cell of a table."""
    return {"mean": "context mean", "constant_mean": "constant"}.get(name, trivial_title(name))[:12]


def the_trivial(name: str) -> str:
    """The same within a sentence: `the recency mean`, `copy-last`."""
    return trivial_title(name) if name in WITHOUT_ARTICLE else f"the {trivial_title(name)}"
