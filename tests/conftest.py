"""What holds for all tests."""

from hypothesis import settings

# How long an example takes depends on what else the machine does: a limit would fail at random.
settings.register_profile("pinfold", deadline=None)
settings.load_profile("pinfold")
