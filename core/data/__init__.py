"""The images: MNIST, the embedded digits, and what is drawn."""
