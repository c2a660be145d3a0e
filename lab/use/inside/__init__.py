"""Looking inside a network: the page's parts."""
