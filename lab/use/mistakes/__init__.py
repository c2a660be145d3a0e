"""What networks get wrong: the page's parts."""
