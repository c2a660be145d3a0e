"""Networks that people already have, read into the lab's own: PyTorch and Keras code, tables of layers. No torch."""
