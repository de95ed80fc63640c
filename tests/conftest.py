"""Settings that all tests share."""

from hypothesis import settings

# Machines that test are noisy: a slow example is no failure.
settings.register_profile("test", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile("test")
