"""The ladder: the steps of the lineages, with their recipes, claims and errors."""
