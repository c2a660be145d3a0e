"""The app's engine room: the run store, the workers, figures and widgets. `python -m lab` is the command line."""
