"""The parts of the pages under Experiment."""
