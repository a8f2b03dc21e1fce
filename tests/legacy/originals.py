"""Folders as the original experiment's trainers left them, with the figures it published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

BEST = {
    "gru": (0.575360388509811, 0.577052054124816),
    "amn": (0.566419259896354, 0.564453682922432),
    "transformer": (0.582042576538192, 0.57872211818354),
    "lstm": (0.575817519355388, 0.569493672173814),
    "graphmert_lvm": (0.578304208933361, 0.560129125352739),
}
"""Best validation cosines on 80k and on 232k."""
TYPES = {"gru": "GRU", "amn": "AMN", "transformer": "Transformer", "lstm": "LSTM"}
PARAMETERS = {"gru": 7_095_552, "amn": 1_510_912, "transformer": 17_867_520, "lstm": 5_120_768}


def curve(best: float, epochs: int = 20) -> list[tuple[float, float]]:
    """(validation, training) cosines that rise to `best` at the fourth epoch from the end and stay just under it."""
    peak = epochs - 4
    return [
        (best - 0.004 * (peak - i) if i < peak else best - (0.0002 * (i - peak)), best - 0.01 + 0.001 * i)
        for i in range(epochs)
    ]


def write_training_history(folder: Path, model: str, cosines: Sequence[tuple[float, float]], **more: object) -> Path:
    """`training_history.json`: the best epoch is the one of the lowest validation loss."""
    folder.mkdir(parents=True)
    history = [
        {
            "epoch": i,
            "train_loss": (1 - train) / 384,
            "train_cosine": train,
            "val_loss": (1 - validation) / 384,
            "val_cosine": validation,
            "lr": 0.0005,
        }
        for i, (validation, train) in enumerate(cosines, 1)
    ]
    document = {
        "model_type": TYPES.get(model, model),
        "model_name": f"{model} next-vector",
        "history": history,
        "best_val_loss": min(entry["val_loss"] for entry in history),
        "final_params": PARAMETERS.get(model, 1_000_000),
        "trained_at": "2025-10-17T09:01:29",
    }
    (folder / "training_history.json").write_text(json.dumps(document | more))
    return folder


def write_benchmark(folder: Path, size: int, cosines: Sequence[tuple[float, float]]) -> Path:
    """`benchmark_results.json` of GraphMERT-LVM: the best epoch is the one of the highest validation cosine."""
    folder.mkdir(parents=True)
    document = {
        "model_type": "GraphMERT-LVM-768D",
        "dataset_size": size,
        "train_size": int(size * 0.9),
        "val_size": size - int(size * 0.9),
        "epochs": len(cosines),
        "batch_size": 32,
        "total_training_time": 3600.0,
        "parameters": 67_352_833,
        "history": [
            {
                "epoch": i,
                "train_loss": 0.0011 + 0.0001 * (i % 3),
                "train_cosine": train,
                "val_loss": 0.0012,
                "val_cosine": validation,
                "epoch_time": 3600.0 / len(cosines),
            }
            for i, (validation, train) in enumerate(cosines, 1)
        ],
        "trained_at": "2025-10-17T15:30:00",
    }
    (folder / "benchmark_results.json").write_text(json.dumps(document))
    return folder


def write_originals(root: Path) -> list[Path]:
    """The ten folders. Those of the small data set carry no size in their names, but for GraphMERT-LVM's."""
    folders = []
    for model in ("amn", "gru", "lstm", "transformer"):
        small, large = BEST[model]
        folders.append(write_training_history(root / f"{model}_20251016_133427", model, curve(small)))
        folders.append(write_training_history(root / f"{model}_232k_20251017_090129", model, curve(large)))
    (root / "gru_20251016_133427" / "best_model.pt").write_bytes(b"weights")
    best_80, best_232 = BEST["graphmert_lvm"]
    rise = [best_80 - 0.006 * (7 - i) for i in range(8)]
    fall = [best_80 - (best_80 - 0.550) * i / 17 for i in range(1, 18)]
    overfitted = [(v, 0.52 + 0.008 * i) for i, v in enumerate([*rise, *fall])]
    folders.append(write_benchmark(root / "graphmert_lvm_80k_full", 80_634, overfitted))
    collapsed = [(0.545, 0.475), (best_232, 0.548), (0.423, 0.444), (0.423, 0.422), (0.424, 0.423)]
    collapsed += [(0.4238, 0.4232)] * 7
    folders.append(write_benchmark(root / "graphmert_lvm_232k_full", 232_605, collapsed))
    return folders
