"""Settings that all tests share."""

import os
import sys

from hypothesis import settings

# Tests start hundreds of interpreters: where the environment forbids to keep compiled
# modules, each would compile the whole program anew, and pytest all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Machines that test are noisy: a slow example is no failure.
settings.register_profile("test", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile("test")
