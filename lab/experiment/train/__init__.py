"""Training: the form, the previews, the run and the table of runs."""
