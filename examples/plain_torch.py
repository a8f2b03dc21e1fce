"""A plain torch loop as a trainer of one's own: nothing of lvmtui but the kit.

[trainers.plain]
command = "{python} examples/plain_torch.py"
steps = 600
"""

import copy
import os

import torch
from torch import nn
from torch.nn import functional

from lvmtui.trainer_kit import Run

run = Run.open()
torch.manual_seed(run.seed)
model = nn.Sequential(nn.Flatten(), nn.Linear(run.context * run.dim, 256), nn.GELU(), nn.Linear(256, run.dim))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
train, validation = run.windows("train"), run.windows("validation")
best = {"cosine": -1.0, "model": model.state_dict()}
if run.resume_from:
    state = torch.load(run.resume_from, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    best = state["best"]


def predict(contexts: torch.Tensor) -> torch.Tensor:
    """(B, T, D) -> (B, D): the mean of the context, corrected."""
    return contexts.mean(dim=1) + 0.1 * model(contexts)


@torch.no_grad()
def evaluate(step: int) -> None:
    contexts, targets = map(torch.from_numpy, validation.batch(slice(None)))
    cosine = functional.cosine_similarity(predict(contexts), targets).mean().item()
    run.evaluated(step, cosine=cosine, loss=1 - cosine)
    if cosine > best["cosine"]:
        best.update(cosine=cosine, model=copy.deepcopy(model.state_dict()))


def save(step: int) -> None:
    beside = run.out / "model.part"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "best": best}, beside)
    os.replace(beside, run.out / "model.pt")
    run.checkpoint("model.pt", step)


for step in range(run.first_step + 1, run.steps + 1):
    drawn_by = torch.Generator().manual_seed(run.seed * run.steps + step)  # the same batch, also in a run that goes on
    chosen = torch.randint(len(train), (128,), generator=drawn_by).numpy()
    contexts, targets = map(torch.from_numpy, train.batch(chosen))
    cosine = functional.cosine_similarity(predict(contexts), targets).mean()
    optimizer.zero_grad()
    (1 - cosine).backward()
    optimizer.step()
    run.step(step, loss=1 - cosine.item(), cosine=cosine.item())
    if step % max(1, run.steps // 8) == 0:
        evaluate(step)
        save(step)
    if run.asked_to_leave:
        save(step)
        break
else:
    model.load_state_dict(best["model"])  # the last weights may have overfitted
    with torch.no_grad():
        run.predicted(predict(torch.tensor(run.heldout_contexts)))
