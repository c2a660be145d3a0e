"""A network and its training as files that work without the lab: script, notebook, weights."""
