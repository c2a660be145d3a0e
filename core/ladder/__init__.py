"""The steps of the lineages, the challenge they climb to, and what their write-ups claim."""
