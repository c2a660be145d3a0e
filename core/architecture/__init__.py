"""What a network is: its ops, their sizes, parameters and receptive fields. No torch."""
