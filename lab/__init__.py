"""The app's engine room: the run store, the workers, figures and widgets. `python -m lab` is the command line."""

import os

# Torch's threads wait for one another turning on the spot, GNU OpenMP's 300,000 times: longer than an iteration lasts.
# Where something else wants a core they so keep it from the very thread they wait for. On 2 cores with one busy process
# beside, an iteration of the 7,758 network took 557 ms instead of 29; with 30,000 turns 130, and 30 when alone.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # read when torch is imported, so it must stand before that
