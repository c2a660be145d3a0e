"""Look inside: what each layer of a trained network makes of a digit."""

import streamlit as st

from lab import frame

frame.heading("Look inside", "See what each layer makes of a digit.")
