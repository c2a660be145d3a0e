"""The page of the class's own handwriting."""
