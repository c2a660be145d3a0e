"""What runs and weights show: mistakes, evidence, diagnosis."""
