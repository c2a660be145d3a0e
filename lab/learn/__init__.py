"""The parts of the pages under Learn."""
