"""The receptive field: the page's parts."""
