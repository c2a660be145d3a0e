"""The learning rate: the page's parts."""
