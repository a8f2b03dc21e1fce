"""A Lightning callback that makes any Trainer one of lvmtui's: `Trainer(callbacks=[LvmtuiCallback()])`.

Its figures are those that your module logs as `train_loss`, `val_cosine` and `val_loss`. Lightning's own handling of
SIGTERM must be off, as the kit listens itself; `Trainer` leaves it alone where a handler is there already.
"""

from typing import Any

from lvmtui.trainer_kit import Run

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:  # a stand-in with the same interface, so that this file can be read and tried without Lightning
    Callback = object


class LvmtuiCallback(Callback):
    """Tells lvmtui what a Trainer does, and saves when it is asked to leave."""

    def __init__(self, run: Run | None = None) -> None:
        super().__init__()
        self.run = run or Run.open()

    @property
    def ckpt_path(self) -> str | None:
        """For `trainer.fit(model, data, ckpt_path=...)`."""
        return str(self.run.resume_from) if self.run.resume_from else None

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.run.step(trainer.global_step, loss=_figure(trainer, "train_loss"))
        if self.run.asked_to_leave:
            self._save(trainer)
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        if trainer.sanity_checking:
            return
        cosine, loss = _figure(trainer, "val_cosine"), _figure(trainer, "val_loss")
        self.run.evaluated(trainer.global_step, cosine=cosine, loss=loss)
        self._save(trainer)

    def _save(self, trainer: Any) -> None:
        trainer.save_checkpoint(str(self.run.out / "last.ckpt"))
        self.run.checkpoint("last.ckpt", trainer.global_step)


def _figure(trainer: Any, name: str) -> float | None:
    value = trainer.callback_metrics.get(name)
    return None if value is None else float(value)
