"""Settings all tests share."""

from hypothesis import HealthCheck, settings

# Machines that run the tests are shared and slow at times: how long an example takes says nothing about the program.
settings.register_profile("lvmtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lvmtui")
