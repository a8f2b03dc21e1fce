"""Reads a run folder of the original experiment: `training_history.json` (GraphMERT-LVM: `benchmark_results.json`), and
perhaps weights. The folder is never written to, and nothing in it is trusted."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lvmtui.formats.spec import USUAL_CONTEXT
from lvmtui.formats.trainer_log import Evaluated
from lvmtui.models import MODELS
from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

HISTORIES = ("training_history.json", "benchmark_results.json")
WEIGHTS = ("best_model.pt", "benchmark_model.pt")
LARGEST_HISTORY = 64 << 20
"""Bytes. A history of a million epochs is smaller."""
SIZE_TOKEN = re.compile(r"(?:^|[_\-. ])(\d+(?:\.\d+)?)([km])(?=$|[_\-. ])", re.IGNORECASE)
"""Finds `232k` in `gru_232k_20251017_090129`."""
RESTORE = "docs/judgement.md describes the format; restore the file, or name another folder"
"""What to do about a file that is not a history."""
REPAIR = "correct it, or leave this folder out"


@dataclass(frozen=True)
class ImportedHistory:
    """What such a folder holds."""

    folder: Path
    file: str
    digest: str
    """sha256 of the file."""
    model: str
    label: str | None
    """Label of the arm, like `232k`; None if neither folder nor history names a size."""
    vectors: int | None
    train_windows: int
    validation_windows: int
    dim: int
    """0: unknown."""
    batch_size: int
    parameters: int
    epochs: int
    evaluations: tuple[Evaluated, ...]
    """One for each epoch that has a validation loss or cosine, and for every epoch where none has."""
    ended: float
    """Seconds since 1970."""
    weights: str
    """Name of the file with weights beside it; empty: none."""
    context: int = USUAL_CONTEXT
    """Vectors in a context: no history says it, so it is what the user says."""


def read_history(folder: Path) -> ImportedHistory:
    """Read a folder. Raises UserError if it holds no history that can be read."""
    path = next((folder / name for name in HISTORIES if (folder / name).is_file()), None)
    if path is None:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name the folder of a finished run")
        if (folder / "spec.json").is_file():
            cure = "give it to --baseline-runs, or open its workspace"
            raise UserError(f"{folder}: a run of lvmtui itself, which needs no import; {cure}")
        raise UserError(f"{folder}: neither {' nor '.join(HISTORIES)} is in it; name the folder of a finished run")
    try:
        if path.stat().st_size > LARGEST_HISTORY:
            fault = f"{path.stat().st_size:,} bytes are too many for a training history"
            raise UserError(f"{path}: {fault}; name another folder")
        content = path.read_bytes()
        document = json.loads(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not a training history, because it is not JSON; {RESTORE}") from None
    entries = _entries(path, document)
    if not entries:
        raise UserError(f"{path}: its history has no epochs; import a run that trained for at least one")
    for name, value in ((n, _number(entry.get(n))) for entry in entries for n in ("val_cosine", "train_cosine")):
        if value is not None and abs(value) > 1.0001:  # a cosine of 1, rounded
            raise UserError(f"{path}: {name} {value:g} is no cosine, which lies between -1 and 1; {REPAIR}")
    told = _time_of(document.get("trained_at"))
    if told is not None and not 0 <= told < time.time() + 86_400:  # a time without its zone may be hours ahead
        words = sanitise(str(document["trained_at"]), 40)
        raise UserError(f"{path}: trained_at {words} is not a time from 1970 to now; {REPAIR}")
    vectors = _whole(document.get("dataset_size"))
    kind = str(document.get("model_type") or document.get("model_name") or "")
    model, ended = _model_of(kind, folder.resolve().name), told or path.stat().st_mtime
    dim, token = re.search(r"(\d{2,5})D\b", kind), SIZE_TOKEN.search(folder.resolve().name)
    return ImportedHistory(
        folder=folder.resolve(),
        file=path.name,
        digest=hashlib.sha256(content).hexdigest(),
        model=model,
        label=f"{token[1]}{token[2].lower()}" if token else f"{vectors // 1000}k" if vectors else None,
        vectors=vectors,
        train_windows=_whole(document.get("train_size")) or 0,
        validation_windows=_whole(document.get("val_size")) or 0,
        dim=int(dim.group(1)) if dim else 0,
        batch_size=_whole(document.get("batch_size")) or 0,
        parameters=_whole(document.get("final_params")) or _whole(document.get("parameters")) or 0,
        epochs=len(entries),
        evaluations=tuple(_evaluations(entries, _number(document.get("total_training_time")) or 0.0, ended, model)),
        ended=ended,
        weights=next((name for name in WEIGHTS if (folder / name).is_file()), ""),
    )


def _entries(path: Path, document: object) -> list[dict[str, Any]]:
    """The entries of the file. Raises UserError that names what does not fit the format."""
    entries = document.get("history") if isinstance(document, dict) else None
    if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
        return entries
    fault = "'history' is not a list with an object for each epoch"
    if not isinstance(document, dict) or "history" not in document:
        fault = "the key 'history' is missing" if isinstance(document, dict) else "it is not a JSON object"
    raise UserError(f"{path}: not a training history, because {fault}; {RESTORE}")


def _evaluations(entries: list[dict[str, Any]], total: float, ended: float, model: str) -> Iterator[Evaluated]:
    """The epochs as evaluations of ours, a step each. `total`: seconds, spread evenly where no epoch has its own.

    The best has the lowest validation loss, at which the weights were kept; of GraphMERT-LVM, and where no epoch has
    both, the highest validation cosine.
    """
    told = [any(entry.get(key) is not None for key in ("val_loss", "val_cosine")) for entry in entries]  # NaN is told
    pairs = [(_number(entry.get("val_loss")), _number(entry.get("val_cosine"))) for entry in entries]
    by_loss = not model.startswith("graphmert") and any(None not in pair for pair in pairs)
    seconds = [max(0.0, _number(entry.get("epoch_time")) or 0.0) for entry in entries]
    if not any(seconds):
        seconds = [max(0.0, total) / len(entries)] * len(entries)
    active, least = 0.0, math.inf
    for step, (entry, took, (loss, cosine)) in enumerate(zip(entries, seconds, pairs, strict=True), 1):
        active += took
        if any(told) and not told[step - 1]:
            continue
        number = _number(entry.get("epoch"))
        measure = loss if by_loss else None if cosine is None else -cosine
        badness = math.inf if cosine is None or measure is None else measure
        yield Evaluated(
            time=ended - sum(seconds) + active,
            step=step,
            epoch=float(step) if number is None else number,
            loss=loss,
            cosine=cosine,
            train_loss=_number(entry.get("train_loss")),
            train_cosine=_number(entry.get("train_cosine")),
            rate=_number(entry.get("lr")) or 0.0,
            best=badness < least,
            active=active,
        )
        least = min(least, badness)


def _model_of(kind: str, folder: str) -> str:
    """The model that the history or the folder names: ours by our name, others by their own. Raises UserError."""
    for words in (kind, folder):
        plain = re.sub(r"[^a-z0-9]", "", words.lower())
        for model in sorted(MODELS, key=len, reverse=True):
            if plain.startswith(model.replace("_", "")):
                return model
        if name := re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:40]:
            return name
    raise UserError(f"{folder}: neither the history nor the folder names a model; rename the folder to <model>_<size>")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 < number < 1e15 else None


def _time_of(value: object) -> float | None:
    """`2025-10-16T13:34:27`, or seconds since 1970."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value).timestamp()
    return _number(value)
