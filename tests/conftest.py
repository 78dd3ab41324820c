"""What holds for all tests."""

import signal

from hypothesis import settings
from tests.scratch import work_in_memory

work_in_memory()

# How long an example takes depends on what else the machine does: a limit would fail at random.
settings.register_profile("pinfold", deadline=None)
settings.load_profile("pinfold")

# A shell has what it starts in the background ignore Ctrl-C, and commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
