"""The training of one run: one loop for every model, to be read from top to bottom."""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from lvmtui.datasets.scores import score_and_write
from lvmtui.formats.paths import RunDir
from lvmtui.formats.selftest import training_code
from lvmtui.formats.spec import RunSpec, read_spec
from lvmtui.formats.trainer_log import CheckpointSaved, Exit, Failed, Finished, Started, events_in
from lvmtui.system.files import sealed_digest
from lvmtui.system.process_id import own_identity, own_launch
from lvmtui.system.text import sanitise
from lvmtui.trainer_kit import POINTS, Teller
from trainers import checkpoint
from trainers.cuda_graph import CannotRecord, recorder
from trainers.data import RunData, open_data
from trainers.device import begun_on, choose_device, device_name, fallbacks_on, peak_memory, set_precision, versions
from trainers.evaluate import counting, evaluate, forward_of, latency, predict
from trainers.failure import Diverged, failure_of
from trainers.legacy_weights import take_over
from trainers.log_writer import Journal
from trainers.optimizer import rate_at
from trainers.orders import LEAVE_ON, Leave, Orders, refuse_finished
from trainers.process import NO_GRAPH, without_graphs
from trainers.state import TrainingPlace, TrainState, best_model, build_forecaster, own_model_of
from trainers.steps import Steps
from trainers.user_code import Bounded, load, own_fault

MARGIN = 1 << 19
"""Bytes assumed for a checkpoint while the model is not known."""


def train(folder: RunDir, orders: Orders, began: float) -> Exit:
    """Train the run in `folder` to its end, or until an order; `began` is when the process began (monotonic)."""
    journal = Journal(folder, began)
    streams = sys.stdout, sys.stderr
    training = Training(folder, orders, journal)
    try:
        training.prepare()
        training.run()
        training.finish()
        return Exit.FINISHED
    except Leave as leave:
        return training.leave(leave)
    except CannotRecord as error:
        journal.say(f"the steps could not be recorded: {error}; starting over with each operation sent by itself")
        try:
            without_graphs(str(error), LEAVE_ON, lambda: orders.signal)
        except OSError as refused:
            return training.fail(refused)
    except Exception as error:
        return training.fail(error)
    finally:
        sys.stdout, sys.stderr = streams
        journal.close()


class Training:
    """One attempt at a run."""

    def __init__(self, folder: RunDir, orders: Orders, journal: Journal) -> None:
        self.folder, self.orders, self.journal = folder, orders, journal
        self.teller = Teller(lambda event: journal.event(event, durable=isinstance(event, CheckpointSaved)))
        self.spec: RunSpec
        self.data: RunData
        self.state: TrainState | None = None
        self.steps: Steps
        self.next_checkpoint = math.inf
        self.latest: tuple[float | None, float | None] = (None, None)

    # -- before the first step ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Open the data, build the model, resume from the newest whole checkpoint, log the start."""
        spec, root = read_spec(self.folder.spec), self.folder.workspace.root
        self.spec = spec
        if spec.own_code:
            sys.stdout, sys.stderr = Bounded(sys.stdout), Bounded(sys.stderr)
        restart = self.orders.asks_restart(self.folder.events)
        self.device = choose_device(spec, "" if restart else begun_on(events_in(self.folder.events)))
        self.fallbacks = fallbacks_on(self.device)
        set_precision(self.device, tf32=not self.fallbacks.float32)
        checkpoint.remove_leftovers(self.folder)
        self.data = open_data(spec, root, self.device)
        torch.manual_seed(spec.seed)
        model = build_forecaster(
            spec.model, spec.dim, spec.size, spec.recipe, spec.context, self.data.train, own_model_of(spec, root)
        ).train()
        state = TrainState(model.to(self.device), spec.recipe, plain=self.fallbacks.plain)
        if spec.recipe.own_loss is not None:
            state.loss = load(spec.recipe.own_loss, root)
        if restart:
            checkpoint.remove_checkpoints(self.folder)
            self.folder.heldout.unlink(missing_ok=True)
        found = checkpoint.find_checkpoint(self.folder)
        if found.state is not None:
            state.load_state_dict(found.state)
        else:
            refuse_finished(self.folder, spec.total_steps, self.orders.intent)
        self.state = state
        self.journal.active_before = state.place.active
        self.train_seconds_before = state.place.train_seconds
        why_not = os.environ.get(NO_GRAPH) or self.fallbacks.no_graph
        self.steps = Steps(spec, state, self.data.train, None if why_not else recorder(self.device))
        self.point_every = math.ceil(spec.total_steps / POINTS)
        self.point_mark = (state.place.step, 0.0)
        self.journal.event(
            Started(
                time=time.time(),
                process=own_identity(),
                generation=self.orders.intent.generation,
                resumed_from=state.place.step,
                checkpoint=found.file,
                passed_over=found.passed_over,
                active=state.place.active,
                parameters=sum(p.numel() for p in model.parameters()),
                device=device_name(self.device),
                versions=versions(),
                launch=own_launch(),
                code=training_code(),
            ),
            durable=True,
        )
        for name in found.passed_over:
            self.journal.say(f"{name} is damaged and was passed over")
        for words in self.fallbacks.sentences:
            self.journal.say(words)
        start = f"from step {state.place.step} ({found.file})" if found.file else "from the start"
        self.journal.say(f"{spec.model} {spec.label} seed {spec.seed} on {device_name(self.device)}, {start}")
        self.show()
        if spec.imported is not None and state.place.step < spec.total_steps:
            take_over(spec, root, state, self.journal, self.between)

    # -- the loop ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Step, evaluate and save until the last step, or until patience runs out."""
        spec, place = self.spec, self.place
        patience = math.inf if spec.recipe.patience is None else spec.recipe.patience
        self.next_checkpoint = time.monotonic() + checkpoint.until_next(0)
        while True:
            self.orders.check()
            due = place.step % spec.evaluate_every == 0 or place.step == spec.total_steps
            if due and place.evaluated_step < place.step:
                self.evaluate()
            if place.step == spec.total_steps or place.since_best >= patience:
                break
            self.journal.clock.enter("training")
            self.steps.take()
            self.journal.steps += 1
            if place.step % self.point_every == 0:
                self.log_point()
            if self.journal.progress_due():
                self.read_pending()
                self.show()
            if time.monotonic() >= self.next_checkpoint:
                self.save()

    def evaluate(self) -> None:
        """Score the validation windows; keep the weights if they are the best so far."""
        self.read_pending()
        state, place, recipe, clock = self.known, self.place, self.spec.recipe, self.journal.clock
        before = clock.of("evaluating")
        clock.enter("evaluating")
        self.show()
        state.copy_buffers()
        scores = evaluate(state.averaged, self.data.validation, state.loss, self.between)
        state.model.train()
        if not math.isfinite(scores.loss):
            raise Diverged(place.step, scores.loss, self.spec)
        train_loss, train_cosine = place.since_evaluation.take()
        best = place.evaluated(scores.loss, scores.cosine, recipe)
        if best:
            state.keep_best()
            place.best_digest = self.save_best()
        self.teller.evaluated(
            place.step,
            epoch=self.epoch,
            **vars(scores),
            train_loss=train_loss,
            train_cosine=train_cosine,
            rate=self.rate,
            best=best,
            seconds=clock.of("evaluating") - before,
            active=self.journal.active,
        )
        self.journal.say(
            f"epoch {self.epoch:.1f}  step {place.step}/{self.spec.total_steps}  loss {scores.loss:.5f}  "
            f"validation cosine {scores.cosine:.4f}"
            + (f"  training {train_cosine:.4f}" if train_cosine is not None else "")
            + ("  best so far" if best else "")
        )
        clock.enter("training")

    # -- what is written on the way ----------------------------------------------------------------------------

    def read_pending(self) -> None:
        """Take the figures of the last steps from the device. Raises Diverged at the first that is not finite."""
        figures = self.steps.read()
        if not figures:
            return
        for step, (loss, cosine) in enumerate(figures, start=self.place.step - len(figures) + 1):
            if not math.isfinite(loss):
                raise Diverged(step, loss, self.spec)
            self.place.since_point.add(loss, cosine)
            self.place.since_evaluation.add(loss, cosine)
        self.latest = tuple(np.mean(figures, axis=0).tolist())

    def log_point(self) -> None:
        """A point of the training curve."""
        self.read_pending()
        step_before, seconds_before = self.point_mark
        seconds = self.journal.clock.of("training")
        self.point_mark = (self.place.step, seconds)
        loss, cosine = self.place.since_point.take()
        speed = (self.place.step - step_before) * self.spec.recipe.batch_size / max(seconds - seconds_before, 1e-9)
        self.teller.point(self.place.step, loss, cosine, self.rate, speed, self.journal.active)

    def save(self) -> None:
        """Write a checkpoint and set the time of the next: the longer it took, the later."""
        self.read_pending()
        clock, place = self.journal.clock, self.place
        began = time.monotonic()
        clock.enter("saving")
        self.show()
        place.active = self.journal.active
        place.train_seconds = self.train_seconds
        digest, size = checkpoint.save_checkpoint(self.folder, self.known.state_dict())
        clock.enter("training")
        seconds = time.monotonic() - began
        self.next_checkpoint = time.monotonic() + checkpoint.until_next(seconds)
        self.teller.checkpoint(place.step, size, seconds=seconds, digest=digest, active=self.journal.active)

    def save_best(self) -> str:
        """Write `best_model.pt`, return its checksum."""
        root, centre = self.folder.workspace.root, self.data.heldout.centre
        content = best_model(self.spec, self.place, self.known.best, root, centre)
        return checkpoint.save_archive(self.folder.best_model, content)

    def between(self) -> None:
        """Between two batches of an evaluation: obey orders, show life."""
        self.orders.check()
        if self.journal.progress_due():
            self.show()

    def show(self) -> None:
        """The live digits."""
        self.journal.progress(self.place.step, self.epoch, *self.latest, self.rate, self.spec.recipe.batch_size)

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Judge the best weights on the held-out windows and say that the run is over."""
        state, place, spec, clock = self.known, self.place, self.spec, self.journal.clock
        train_seconds = self.train_seconds
        weights_digest = checkpoint.digest_of(state.model.state_dict())
        clock.enter("heldout")
        state.averaged.load_state_dict(state.best)
        if sealed_digest(self.folder.best_model) != place.best_digest:
            place.best_digest = self.save_best()
        held, judged = self.data.heldout, self.data.judged
        predicted = predict(state.averaged, judged, self.between)
        forward = forward_of(state.averaged, judged, held.cluster, self.between)
        count = partial(counting, device=torch.device("cpu") if self.fallbacks.ranks_on_cpu else self.device)
        scores, digest = score_and_write(self.folder.heldout, held, spec.split_fingerprint, predicted, count, forward)
        self.orders.check()
        p50, p95 = latency(state.averaged, judged.batch(slice(0, 1))[0])
        self.journal.event(
            Finished(
                time=time.time(),
                step=place.step,
                stopped_early=place.step < spec.total_steps,
                best_step=place.best_step,
                best_epoch=place.best_step / spec.steps_per_epoch,
                best_cosine=place.best_cosine,
                heldout=scores,
                latency_p50_ms=p50,
                latency_p95_ms=p95,
                train_seconds=train_seconds,
                peak_memory_bytes=peak_memory(self.device),
                weights_digest=weights_digest,
                best_digest=place.best_digest,
                heldout_digest=digest,
                active=self.journal.active,
            ),
            durable=True,
        )
        self.journal.say(
            f"finished after {self.journal.active:.0f} s of kept work: "
            f"held-out cosine {scores.cosine:.4f} (plain mean), best epoch {place.best_step / spec.steps_per_epoch:.1f}"
        )
        with suppress(OSError):  # the run is over either way
            checkpoint.remove_checkpoints(self.folder)

    def leave(self, leave: Leave) -> Exit:
        """Obey an order to leave: write a checkpoint unless the run is cancelled, log it, return the exit code."""
        if self.state is None:  # nothing was begun, so nothing is lost
            return leave.how
        try:
            if leave.how is not Exit.CANCELLED:
                self.save()
        except Exception as error:
            return self.fail(error)
        self.journal.event(leave.ending(self.place.step, self.journal.active), durable=True)
        self.journal.say(f"{leave.how.name.lower()} at step {self.place.step}")
        return leave.how

    def fail(self, error: Exception) -> Exit:
        """Say why the run cannot go on; the last checkpoint stays."""
        step = self.state.place.step if self.state else 0
        if isinstance(error, Diverged):
            step = error.step
        failure = failure_of(error, self.folder.path, self.state.nbytes if self.state else MARGIN)
        if failure.reason == "error" and (words := own_fault(error, self.spec, self.folder.workspace.root)):
            # before the first step another try would end the same way
            failure = replace(failure, message=words, reason="error" if self.journal.steps else "setup")
        if failure.reason in ("error", "setup"):
            traceback.print_exception(error, file=self.journal.out)
        self.journal.say(f"failed at step {step}: {failure.message}")
        message, needed = sanitise(failure.message, 500), failure.needed_bytes
        event = Failed(time.time(), step, failure.reason, message, self.journal.active, needed, own_launch())
        try:
            self.journal.event(event, durable=True)
        except OSError as full:  # the exit code says it
            with suppress(OSError):
                print(f"the ending could not be written: {full}", file=sys.stderr)
        return failure.code

    # -- names for what is derived -----------------------------------------------------------------------------

    @property
    def known(self) -> TrainState:
        assert self.state is not None, "prepare() comes first"
        return self.state

    @property
    def place(self) -> TrainingPlace:
        return self.known.place

    @property
    def epoch(self) -> float:
        return self.place.step / self.spec.steps_per_epoch

    @property
    def rate(self) -> float:
        return rate_at(self.spec.recipe, self.place.step, self.spec.total_steps, self.place.factor)

    @property
    def train_seconds(self) -> float:
        return self.train_seconds_before + self.journal.clock.of("training")
