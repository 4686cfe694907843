"""Hypothesis for this room: machines that tests run on are shared, so no example is timed."""

from hypothesis import HealthCheck, settings

settings.register_profile("link", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("link")
