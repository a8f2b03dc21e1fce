"""A trainer of one's own without torch: recency weights by gradient descent, in numpy.

[trainers.recency]
command = "{python} examples/without_torch.py"
steps = 400
"""

import numpy as np

from lvmtui.trainer_kit import Run

run = Run.open()
train, validation = run.windows("train"), run.windows("validation")
logits = np.load(run.resume_from) if run.resume_from else np.zeros(run.context)


def predict(contexts: np.ndarray) -> np.ndarray:
    """(B, T, D) -> (B, D): the weighted mean of the context."""
    weights = np.exp(logits - logits.max())
    return np.einsum("t,btd->bd", weights / weights.sum(), contexts)


def cosine(predicted: np.ndarray, targets: np.ndarray) -> float:
    return float(((predicted / np.linalg.norm(predicted, axis=1, keepdims=True)) * targets).sum(1).mean())


def save(step: int) -> None:
    np.save(run.out / "logits.npy", logits)
    run.checkpoint("logits.npy", step)


for step in range(run.first_step + 1, run.steps + 1):
    contexts, targets = train.batch(np.random.default_rng((run.seed, step)).integers(len(train), size=64))
    predicted = predict(contexts)
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    pull = np.einsum("btd,bd->t", contexts, predicted - targets) / len(contexts)  # of half the squared distance
    logits -= 2.0 * weights * (pull - weights @ pull)
    run.step(step, loss=float(((predicted - targets) ** 2).mean()), cosine=cosine(predicted, targets))
    if step % max(1, run.steps // 8) == 0:
        run.evaluated(step, cosine=cosine(predict(validation.batch(slice(None))[0]), validation.batch(slice(None))[1]))
        save(step)
    if run.asked_to_leave:
        save(step)
        break
else:
    run.predicted(predict(run.heldout_contexts))
