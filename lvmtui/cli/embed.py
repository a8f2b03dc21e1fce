"""`lvmtui embed`: texts to a vector file."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from lvmtui.cli.shared import ExitCode, announcer
from lvmtui.datasets.store import UNIT_TOLERANCE
from lvmtui.embed.documents import need_syntok
from lvmtui.embed.embed import SHORT, EmbedProgress, EmbedSettings
from lvmtui.embed.embed import embed as embed_texts
from lvmtui.embed.encoder import SentenceTransformer
from lvmtui.system.errors import UserError
from lvmtui.system.numbers import duration, plural


def embed(given: argparse.Namespace) -> int:
    output = Path(given.output).expanduser()
    if output.suffix != ".npz":
        raise UserError(f"-o {given.output}: name a file that ends in .npz")
    if given.batch_size is not None and given.batch_size < 1:
        raise UserError(f"--batch-size {given.batch_size}: at least 1 is needed")
    if given.by == "sentences":
        need_syntok()
    say = announcer()
    say("loading the model")
    encoder = SentenceTransformer(given.model, device=given.device, batch=given.batch_size or 64)
    settings = EmbedSettings(
        model=encoder.name,
        unit=given.by,
        dtype="float16" if given.half else "float32",
        text_field=given.text_field or "",
        title_field=given.title_field or "",
    )
    began = time.monotonic()
    try:
        made = embed_texts(Path(given.texts).expanduser(), output, encoder, settings, lambda at: say(_words(at)))
    except KeyboardInterrupt:
        say("")
        print(f"interrupted; the same command goes on from what {output.name}.parts holds")
        raise
    say("")
    what = f"{made.vectors:,} vectors of {made.dim:,} numbers from {plural(made.documents, 'document')}"
    print(f"{output}: {what}, by {encoder.name}, in {duration(time.monotonic() - began)}")
    if made.empty:
        print(f"  {plural(made.empty, 'document')} without text left out")
    if made.short:
        print(f"  {made.short:,} of them with fewer than {SHORT} {given.by}: no window of five vectors fits into those")
    scaled = ""
    if not all(abs(length - 1) < UNIT_TOLERANCE for length in made.lengths):
        scaled = " --normalise"
        shortest, longest = made.lengths
        print(f"  their lengths are from {shortest:.3g} to {longest:.3g}; give --normalise to check and run")
    print(f"next: lvmtui check {output}{scaled}")
    return ExitCode.OK


def _words(at: EmbedProgress) -> str:
    left = "" if at.seconds_left is None else f", {duration(at.seconds_left)} left"
    return f"{100 * at.share:.0f} %: {at.vectors:,} vectors of {plural(at.documents, 'document')}{left}"
