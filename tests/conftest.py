"""Settings all tests share."""

import os

from hypothesis import HealthCheck, settings

# One thread a process: pytest-xdist keeps the cores busy, and on busy cores threads of one product wait for each other.
# Before numpy and torch are imported, and inherited by what tests start.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Machines that run the tests are shared and slow at times: how long an example takes says nothing about the program.
settings.register_profile("lvmtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lvmtui")
