"""The images: MNIST, the embedded digits, and drawings."""
