"""The challenge board: who stands where, its picture and its page."""
