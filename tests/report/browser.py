"""Chromium without a window: what a page looks like to a reader's browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

OUTSIDE = """<!doctype html><iframe style="width: {width}px; height: 900px; border: 0" srcdoc="{page}"></iframe>
<script>
document.querySelector("iframe").onload = (loaded) => {{
  const page = loaded.target.contentDocument;
  const found = [page.documentElement.clientWidth, page.documentElement.scrollWidth, page.body.innerText];
  document.body.setAttribute("data-measured", JSON.stringify(found));
}};
</script>"""
"""A frame as wide as a phone: no window of Chromium is. The page itself runs no script."""


@dataclass(frozen=True)
class Measured:
    """A page as it was laid out."""

    width: int
    """In pixels, without its scroll bar."""
    needed: int
    """What the page takes; more than `width` would make it scroll sideways."""
    text: str
    """What can be read without opening anything."""


def measure(page: Path, width: int) -> Measured:
    """Open a page at this width."""
    outside = page.with_name(f"outside_{width}.htm")
    outside.write_text(OUTSIDE.format(width=width, page=html.escape(page.read_text())))
    dom = chromium("--dump-dom", "--window-size=1400,1000", "--virtual-time-budget=10000", outside.as_uri())
    found = re.search(r'data-measured="([^"]*)"', dom)
    assert found, dom[-2000:]
    return Measured(*json.loads(html.unescape(found[1])))


def chromium(*arguments: str) -> str:
    """Run it and return its stdout."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout
