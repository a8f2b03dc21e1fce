"""`python run_supervisor.py WORKSPACE [linger=1 cancel_wait=0.5 ...]`: a real supervisor over fake trainers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from lvmtui.formats.paths import Workspace
from lvmtui.supervisor.engines.local import LocalEngine
from lvmtui.supervisor.engines.slurm import SlurmEngine
from lvmtui.supervisor.results import Workers
from lvmtui.supervisor.supervisor import Supervisor, main
from lvmtui.system.errors import UserError
from tests.supervisor.world import QUICK, TRAINER, make_result


def run(arguments: list[str]) -> int:
    options = {name: float(value) for name, _, value in (a.partition("=") for a in arguments[1:])}
    linger = options.pop("linger", 60.0)
    workspace = Workspace(Path(arguments[0]).resolve())
    supervisor = Supervisor(
        workspace,
        engines={"local": LocalEngine(TRAINER), "slurm": SlurmEngine(every=0.2)},
        workers=Workers(command=make_result),
        rules=replace(QUICK, **options),  # type: ignore[arg-type]
    )
    try:
        return main(workspace, supervisor=supervisor, linger=linger)
    except UserError as error:
        print(f"lvmtui: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
