"""Changes that may fix a fault of a design, as labels and what the design would become. `advice` tries them first.

Nothing here is promised: a change may not fit, cost too much or help nothing. Who offers one checks it first.
The files are the themes of `core.advice.faults`; `fit` is for what cannot be trained yet, `ops` for what all share.
"""
