"""What the screen costs: the real program in a real pseudo-terminal, 120x40, beside a simulated campaign.

    python benchmarks/screen.py [--seconds 20] [--samples 60] [--only first,bytes,latency,log,idle,many] [--priority N]

A process of its own plays the trainers: digits four times a second for five runs (once a second for five hundred),
an evaluation every few seconds, a log line a second. Times depend on what else the machine does; `--priority -15` (root
only) gives the screen and its trainers the processor before other work, which is nearly a quiet machine.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import resource
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import IO

import psutil
from command_line import parser_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from lvmtui.formats.paths import Workspace
from lvmtui.system.files import LineLog
from lvmtui.system.process_id import own_identity
from tests.factory import bring_to, make_campaign, planned_run, write_trivial
from tests.history import History
from tests.ui.terminal import Terminal

SIZE = (120, 40)


def campaign_of(root: Path, models: int, state: str) -> list[str]:
    """A campaign with one run a model in that state; names of the models."""
    names = [f"model_{i:03d}" for i in range(models)]
    campaign = make_campaign(root, models=names, total_steps=100_000, created=time.time() - 60)
    for arm in ("baseline", "expanded"):
        write_trivial(root, campaign, arm)
    if state == "finished":
        for name in names:
            for arm in ("baseline", "expanded"):
                bring_to(root, campaign, name, arm, state="cancelled", fraction=0.005)
    return names


def play(root: str, names: list[str], arms: list[str], digits_every: float, ready: Event, stop: Event) -> None:
    """The trainers: these runs of the campaign go on until told to stop."""
    workspace = Workspace(Path(root))
    campaign = make_campaign_again(workspace)
    process = own_identity()
    runs: list[tuple[History, LineLog]] = []
    held: list[IO[bytes]] = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    measured = ("model_000", "expanded")
    for i, (name, arm) in enumerate((n, a) for a in arms for n in names if (n, a) != measured):
        run = bring_to(
            workspace,
            campaign,
            name,
            arm,
            state="running",
            fraction=0.004 + 0.00001 * i,
            process=process,
            began=time.time() - 40,
        )
        held.append(run.folder.lock.open("ab"))  # as a trainer holds it
        runs.append((run, LineLog(run.folder.log)))
    ready.set()
    turn = 0
    while not stop.is_set():
        began = time.monotonic()
        for i, (run, log) in enumerate(runs):
            run.time = time.time()
            run.step += 4
            run.active += digits_every
            run.digits("training")
            if (turn + i) % round(1 / digits_every) == 0:
                log.append(f"step {run.step} loss {1 / run.step:.6f} cosine .5{i:03d}\n".encode())
            if (turn + i) % round(6 / digits_every) == 0:
                run.evaluate()
        turn += 1
        stop.wait(max(0.0, digits_every - (time.monotonic() - began)))


def make_campaign_again(workspace: Workspace):  # type: ignore[no-untyped-def]
    from lvmtui.state.campaign_reader import CampaignReader, newest_campaign

    return CampaignReader(workspace, newest_campaign(workspace)).campaign


class Trainers:
    """The playing process, for as long as it is needed."""

    def __init__(self, root: Path, names: list[str], arms: list[str], digits_every: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop, ready = context.Event(), context.Event()
        self._process = context.Process(target=play, args=(str(root), names, arms, digits_every, ready, self._stop))
        self._process.start()
        ready.wait(120)

    def __enter__(self) -> Trainers:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._process.join(20)
        if self._process.is_alive():
            self._process.kill()


def screen_of(root: Path) -> Terminal:
    terminal = Terminal(["--workspace", str(root), "--read-only"], size=SIZE)
    favour(terminal.pid)
    return terminal


def favour(pid: int) -> None:
    """Give the session of a process the priority of this one. Linux weighs sessions against each other first; the
    niceness of a process counts only within its own."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))


def started(root: Path, wanted: str) -> Terminal:
    terminal = screen_of(root)
    terminal.keep = False
    terminal.wait_for(wanted, 60)
    return terminal


def cost(terminal: Terminal, seconds: float) -> tuple[float, float, float]:
    """(bytes a second, CPU percent, megabytes) over so many seconds."""
    process = psutil.Process(terminal.pid)
    terminal.read(3.0)
    before, count, began = process.cpu_times(), terminal.count, time.monotonic()
    terminal.read(seconds)
    wall = time.monotonic() - began
    after = process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return (terminal.count - count) / wall, 100 * cpu / wall, process.memory_info().rss / 1e6


def report(what: str, figure: str, goal: str) -> None:
    print(f"{what:<58}{figure:>22}   goal {goal}", flush=True)


def first_paint(root: Path) -> None:
    walls, cpus = [], []
    for _ in range(7):
        began = time.monotonic()
        with screen_of(root) as terminal:
            terminal.wait_for("finished")
            walls.append(time.monotonic() - began)
            spent = psutil.Process(terminal.pid).cpu_times()
            cpus.append(spent.user + spent.system)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    report("first useful paint, median of 7", f"{wall:.2f} s, {cpu:.2f} s CPU", "0.5 s")


def latency(root: Path, samples: int) -> tuple[list[float], list[float]]:
    """Seconds until a change of the run that is shown first is on the screen: an evaluation in its log, and an order
    that turns its state."""
    workspace = Workspace(root)
    campaign = make_campaign_again(workspace)
    history = History(workspace.run(planned_run(campaign, "model_000", "expanded", 1)), time.time(), own_identity())
    if not history.folder.events.exists():
        history.launch()
        history.start()
        history.digits("training")
    history.step = 50_000
    chance = random.Random(1)
    evaluations: list[float] = []
    states: list[float] = []
    with started(root, "finished") as terminal:
        terminal.read(2)
        for i in range(samples):
            terminal.read(0.3 + chance.random())
            history.curve = type(history.curve)(0.7 + 0.001 * i + 0.0001, start=0.7 + 0.001 * i + 0.0001, noise=0)
            history.step += 60
            before = gain_shown(terminal.text)
            history.time = time.time()
            began = time.monotonic()
            history.evaluate()
            terminal.wait_for(lambda text, before=before: gain_shown(text) not in ("", before))  # type: ignore[misc]
            evaluations.append(time.monotonic() - began)
            if i % 2:
                continue
            for want in ("pause", "run"):
                terminal.read(0.3 + chance.random())
                began = time.monotonic()
                history.want(want)
                terminal.wait_for(lambda text, paused=want == "pause": ("pausing" in text) is paused)  # type: ignore[misc]
                states.append(time.monotonic() - began)
    return evaluations, states


def gain_shown(text: str) -> str:
    """The gain of the first model's run on the large arm, in its panel or its row."""
    found = re.search(r"23k\s+[▸!][^\n]*?([+−]\.\d{4})", text)  # the loaded machine may stall it
    return found[1] if found else ""


def report_latency(runs: int, root: Path, samples: int) -> None:
    for what, found in zip(("an evaluation", "a change of state"), latency(root, samples), strict=True):
        middle, late = 1000 * statistics.median(found), 1000 * p95(found)
        report(f"{runs} runs: {what} is visible after, p50 and p95", f"{middle:.0f} and {late:.0f} ms", "280 ms")


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def big_log(root: Path, names: list[str]) -> None:
    workspace = Workspace(root)
    campaign = make_campaign_again(workspace)
    path, other = (workspace.run(planned_run(campaign, names[0], arm)).log for arm in ("baseline", "expanded"))
    line = b"2026-11-22 13:45:00 step 12345 loss .00123 cosine .5123 windows/s 412 and some more words\n"
    with path.open("wb") as file:
        block = line * 20_000
        while file.tell() < 1 << 30:
            file.write(block)
        file.write(b"the very last line\n")
    other.unlink(missing_ok=True)
    os.link(path, other)  # whichever of the two is looked at first
    with started(root, "finished") as terminal:
        terminal.read(1.5)
        began = time.monotonic()
        terminal.press("\r")
        terminal.wait_for(lambda text: "learning rate" in text and "the very last line" in text)
        opened = time.monotonic() - began
        memory = psutil.Process(terminal.pid).memory_info().rss / 1e6
        began = time.monotonic()
        terminal.press("g", "/")
        terminal.wait_for("search the log")
        terminal.press("very last", "\r")
        terminal.wait_for("the very last line", 60)
        searched = time.monotonic() - began
    path.unlink()
    other.unlink()
    report("a log of 1 GB opens", f"{opened:.2f} s, {memory:.0f} MB", "1 s, 60 MB")
    report("... and is searched from end to end", f"{searched:.1f} s", "-")


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--samples", type=int, default=60, help="changes of which the latency is taken")
    parser.add_argument("--only", default="first,bytes,latency,idle,many,log")
    parser.add_argument("--priority", type=int, default=0)
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once, not at each start
    os.setpriority(os.PRIO_PROCESS, 0, given.priority)  # and so of all that is started from here
    favour(os.getpid())
    wanted = set(given.only.split(","))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, screen {SIZE[0]}x{SIZE[1]}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("PYTHONPYCACHEPREFIX", f"{folder}/compiled")
        root = Path(folder) / "five"
        root.mkdir()
        names = campaign_of(root, 5, "running")
        with Trainers(root, names, ["baseline"], 0.25):
            if "first" in wanted:
                first_paint(root)
            if "bytes" in wanted:
                with started(root, "finished") as terminal:
                    sent, cpu, memory = cost(terminal, given.seconds)
                report("5 active runs: bytes to the terminal", f"{sent / 1000:.2f} kB/s", "1.5 kB/s")
                report("5 active runs: CPU", f"{cpu:.1f} %", "2 %")
                report("5 active runs: memory", f"{memory:.0f} MB", "60 MB")
            if "latency" in wanted:
                report_latency(5, root, given.samples)
        if "log" in wanted:
            big_log(root, names)
        if "idle" in wanted:
            root = Path(folder) / "idle"
            root.mkdir()
            campaign_of(root, 5, "finished")
            with started(root, "finished") as terminal:
                sent, cpu, memory = cost(terminal, given.seconds)
            report("nothing runs: CPU", f"{cpu:.2f} %", "0.5 %")
            report("nothing runs: bytes to the terminal", f"{sent / 1000:.2f} kB/s", "-")
        if "many" in wanted:
            root = Path(folder) / "many"
            root.mkdir()
            names = campaign_of(root, 250, "running")
            with Trainers(root, names, ["baseline", "expanded"], 1.0):
                with started(root, "finished") as terminal:
                    sent, cpu, memory = cost(terminal, given.seconds)
                report("500 active runs: CPU", f"{cpu:.1f} %", "14 %")
                report("500 active runs: memory", f"{memory:.0f} MB", "60 MB")
                report("500 active runs: bytes to the terminal", f"{sent / 1000:.2f} kB/s", "-")
                report_latency(500, root, given.samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
