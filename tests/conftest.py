"""Settings all tests share."""

import os

from hypothesis import HealthCheck, settings

from tests.threads import ONE_THREAD

os.environ.update({**ONE_THREAD, **os.environ})

# Machines that run the tests are shared and slow at times: how long an example takes says nothing about the program.
settings.register_profile("lvmtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lvmtui")
