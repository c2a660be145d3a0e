"""What a network is: its ops, their sizes, parameters and receptive fields, and advice on it. No torch."""
