"""The architecture lab: page configuration and the menu, nothing else."""

import streamlit as st

from lab import frame

st.set_page_config(page_title="The architecture lab", page_icon=":material/network_node:", layout="wide", initial_sidebar_state="collapsed")
page = st.navigation(
    {
        "Learn": [
            st.Page("pages/learn/ladder.py", title="Ladder", icon=":material/stairs:", default=True),
            st.Page("pages/learn/step.py", title="Step", icon=":material/layers:"),
        ],
        "Experiment": [st.Page("pages/experiment/train.py", title="Train", icon=":material/model_training:")],
        "Use": [
            st.Page("pages/use/mistakes.py", title="Mistakes", icon=":material/error:"),
            st.Page("pages/use/draw.py", title="Draw", icon=":material/draw:"),
        ],
    },
    position="top",
)
frame.sidebar()
page.run()
