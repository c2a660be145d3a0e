"""Networks, their numbers, and their training. Knows nothing of Streamlit or of lab/."""
