"""The suite. It is read by trial and by pytest, so what both need stands here and not in a conftest.

``RHO_FULL=1`` runs the large counts whole and lets Hypothesis search at random; otherwise every run is the same run.
"""

import os
import warnings

from hypothesis import HealthCheck, settings

#: The counts of the long run instead of the everyday ones.
FULL = os.environ.get("RHO_FULL", "") not in ("", "0")

settings.register_profile(
    "everyday", derandomize=True, deadline=None, database=None, max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("full", deadline=None, database=None, max_examples=2000, print_blob=True)
settings.load_profile("full" if FULL else "everyday")

# What will stop working in a later Python or Twisted is our fault when our own code calls it.
warnings.filterwarnings("error", category=DeprecationWarning, module=r"rhotwist(\.|$)")
