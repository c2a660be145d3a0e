"""A run as one page that leaves the lab."""
