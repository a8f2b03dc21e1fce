"""Small vector files of every kind, made of text that does not exist: walks on the sphere, an article each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lvmtui.datasets.arm import Arm, file_arm
from lvmtui.datasets.draw import draw_folds
from lvmtui.datasets.split import Split
from lvmtui.formats.spec import ArmName

DIM = 24


def walk(rows: int, seed: int = 0, dim: int = DIM, coherence: float = 0.6) -> np.ndarray:
    """A random walk on the unit sphere, (rows, dim) float32."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((rows, dim))
    for i in range(1, rows):
        steps[i] = coherence * steps[i - 1] / np.linalg.norm(steps[i - 1]) + 0.8 * steps[i] / np.linalg.norm(steps[i])
    return (steps / np.linalg.norm(steps, axis=1, keepdims=True)).astype(np.float32)


def library(articles: int, seed: int = 0) -> list[np.ndarray]:
    """Articles of 6 to 60 vectors."""
    lengths = np.random.default_rng(seed).integers(6, 61, articles)
    return [walk(int(n), seed=1000 * seed + i) for i, n in enumerate(lengths)]


def quantised(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The int8 form."""
    scale = np.abs(vectors).max(axis=1) / 127
    return {"q": np.round(vectors / scale[:, None]).astype(np.int8), "scale": scale.astype(np.float32)}


def save_articles(path: Path, articles: list[np.ndarray], form: str = "float32", prefix: str = "Article") -> Path:
    """An .npz of whole articles; `form` is a float type, `int8`, or `long`: not of unit length."""
    vectors = np.concatenate(articles)
    arrays: dict[str, Any]
    if form == "int8":
        arrays = quantised(vectors)
    elif form == "long":
        lengths = np.random.default_rng(0).uniform(0.5, 20, len(vectors)).astype(np.float32)
        arrays = {"vectors": vectors * lengths[:, None]}
    else:
        arrays = {"vectors": vectors.astype(form)}
    np.savez(
        path,
        **arrays,
        article_id=np.repeat(np.arange(len(articles)), [len(a) for a in articles]),
        titles=np.array([f"{prefix} {i}" for i in range(len(articles))]),
    )
    return path


def windows_of(vectors: np.ndarray, context: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """All windows of a sequence: contexts (N, T, D) and targets (N, D)."""
    rows = np.arange(len(vectors) - context)[:, None] + np.arange(context)
    return vectors[rows], vectors[context:]


def save_sequences(path: Path, contexts: np.ndarray, targets: np.ndarray) -> Path:
    np.savez_compressed(path, context_sequences=contexts, target_vectors=targets)
    return path


def save_sequence(path: Path, vectors: np.ndarray) -> Path:
    """The original's form: every window of one long sequence."""
    return save_sequences(path, *windows_of(vectors))


def arms(workspace: Path, baseline: Path, expanded: Path, normalise: bool = False) -> tuple[Arm, Arm]:
    names: tuple[ArmName, ArmName] = ("baseline", "expanded")
    one, two = (
        file_arm(name, path, workspace, normalise=normalise)
        for name, path in zip(names, (baseline, expanded), strict=True)
    )
    return one, two


def near(vectors: np.ndarray, cosine: float, seed: int = 0) -> np.ndarray:
    """Unit rows at this very cosine from each of `vectors`, in random directions."""
    away = np.random.default_rng(seed).standard_normal(vectors.shape)
    away -= np.einsum("nd,nd->n", away, vectors)[:, None] * vectors
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return (cosine * vectors + np.sqrt(1 - cosine**2) * away).astype(np.float32)


def draw_split(*arms: Arm, seed: int = 0, **options: Any) -> Split:
    """One split, without folds."""
    return draw_folds(*arms, seed=seed, folds=None, **options)[0]
