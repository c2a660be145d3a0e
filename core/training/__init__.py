"""How a network learns: the recipe, the training loop and its parts."""
