"""Networks, their numbers, and their training. Imports neither Streamlit nor lab/."""
