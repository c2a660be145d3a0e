"""How a network learns: the recipe, the loop, and what belongs to both."""
