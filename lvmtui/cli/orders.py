"""`lvmtui pause`, `resume`, `cancel`, `retry` and `queue`: write the orders, see to a supervisor that obeys them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

from lvmtui import orders
from lvmtui.cli.shared import ExitCode, campaign_now
from lvmtui.state.campaign_reader import RunView
from lvmtui.supervisor.lock import ensure_supervisor
from lvmtui.system.errors import UserError


def cancel(given: argparse.Namespace) -> int:
    return _order(given, lambda views: orders.cancel(views, force=given.force))


def retry(given: argparse.Namespace) -> int:
    return _order(given, lambda views: orders.retry(views, from_start=given.from_start))


def _order(given: argparse.Namespace, order: Callable[[Sequence[RunView]], list[str]]) -> int:
    print("\n".join(order(orders.select(campaign_now(given), given.runs))))
    return _obeyed(given)


pause, resume = partial(_order, order=orders.pause), partial(_order, order=orders.resume)


def queue(given: argparse.Namespace) -> int:
    state = campaign_now(given)
    if given.jobs is None and not given.first:
        raise UserError("queue: nothing to change; give --jobs N or --first RUN...")
    first = orders.select(state, given.first or ())
    if given.jobs is not None:
        print(orders.set_jobs(state, given.jobs))
    if first:
        print(orders.set_order(state, first))
    return _obeyed(given)


def _obeyed(given: argparse.Namespace) -> int:
    """See to a supervisor, if the orders have left it something to do."""
    state = campaign_now(given)
    if state.needs_supervisor:
        ensure_supervisor(state.dir.workspace)
    return ExitCode.OK
