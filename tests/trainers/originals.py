"""A finished folder as the original experiment's trainers leave one, of a model trained in a second or two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lvmtui.datasets.windows import gather, window_starts
from trainers.models import build, unit

EPOCHS = 8


def train_original(folder: Path, vectors: Path, model: str = "amn", prefix: str = "", seed: int = 0) -> Path:
    """Train on random windows of an .npz file, validate on the others, leave history and weights in `folder`."""
    folder.mkdir(parents=True)
    with np.load(vectors) as file:
        rows = file["vectors"]
        starts = np.random.default_rng(seed).permutation(window_starts(file["article_id"], (0, len(rows)), 5))
    torch.manual_seed(seed)
    network = build(model, rows.shape[1], "small")
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    kept_apart, train = starts[: len(starts) // 10], starts[len(starts) // 10 :]
    history = []
    for epoch in range(1, EPOCHS + 1):
        cosines = []
        for i in range(0, len(train), 32):
            context, target = map(torch.from_numpy, gather(rows, train[i : i + 32], 5))
            raw = network(context)
            functional.mse_loss(raw, target).backward()
            optimizer.step()
            optimizer.zero_grad()
            cosines.append(float((unit(raw.detach()) * target).sum(-1).mean()))
        context, target = map(torch.from_numpy, gather(rows, kept_apart, 5))
        with torch.no_grad():
            raw = network(context)
        loss, cosine = float(functional.mse_loss(raw, target)), float((unit(raw) * target).sum(-1).mean())
        history.append(
            {
                "epoch": epoch,
                "train_loss": loss,
                "train_cosine": float(np.mean(cosines)),
                "val_loss": loss,
                "val_cosine": cosine,
                "lr": 0.002,
            }
        )
        if loss == min(entry["val_loss"] for entry in history):
            write_weights(folder, {prefix + name: w for name, w in network.state_dict().items()}, epoch, cosine)
    count = sum(weight.numel() for weight in network.parameters())
    document = {"model_type": model, "model_name": model, "history": history, "trained_at": "2025-10-16T13:34:27"}
    (folder / "training_history.json").write_text(json.dumps(document | {"batch_size": 32, "final_params": count}))
    return folder


def write_weights(folder: Path, weights: Mapping[str, Tensor], epoch: int, cosine: float) -> None:
    """`best_model.pt`; the cosine is a numpy number, as a mean taken with numpy is."""
    torch.save(
        {
            "model_state_dict": {name: weight.clone() for name, weight in weights.items()},
            "model_config": {"hidden_dim": 128},
            "epoch": epoch,
            "val_cosine": np.float64(cosine),
        },
        folder / "best_model.pt",
    )
