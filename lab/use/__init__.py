"""The parts of the pages under Use."""
