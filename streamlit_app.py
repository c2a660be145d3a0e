"""The architecture lab: page configuration and the menu, nothing else."""

import logging
from contextlib import nullcontext

import streamlit as st

if __name__ == "__main__":  # a browser's run; Streamlit names the script so
    from core.places import APP
    from lab.server.pace import in_turn
    from lab.ui import follow, frame, presentation, work

    st.set_page_config(
        page_title="The architecture lab",
        page_icon=str(APP / ".streamlit" / "icon.png"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(frame.STYLES)
    st.logo(str(APP / ".streamlit" / "logo.svg"), size="large")
    menu = {
        "Learn": [
            st.Page("pages/learn/start.py", title="Start", icon=":material/home:", default=True),
            st.Page("pages/learn/walkthroughs.py", title="Walkthroughs", icon=":material/school:"),
            st.Page("pages/learn/ladder.py", title="Ladder", icon=":material/stairs:"),
            st.Page("pages/learn/step.py", title="Step", icon=":material/layers:"),
            st.Page("pages/learn/field.py", title="Receptive field", icon=":material/center_focus_strong:"),
            st.Page("pages/learn/teach.py", title="Teach a class", icon=":material/co_present:"),
        ],
        "Experiment": [
            st.Page("pages/experiment/design.py", title="Design", icon=":material/architecture:"),
            st.Page("pages/experiment/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/experiment/learning_rate.py", title="Learning rate", icon=":material/speed:"),
            st.Page("pages/experiment/compare.py", title="Compare", icon=":material/compare_arrows:"),
            st.Page("pages/experiment/board.py", title="Challenge board", icon=":material/flag:"),
            st.Page("pages/experiment/queue.py", title="Queue", icon=":material/groups:"),
        ],
        "Use": [
            st.Page("pages/use/import.py", title="Bring your own", icon=":material/upload_file:"),
            st.Page("pages/use/mistakes.py", title="Mistakes", icon=":material/error:"),
            st.Page("pages/use/read.py", title="What do you read?", icon=":material/how_to_vote:"),
            st.Page("pages/use/draw.py", title="Draw", icon=":material/draw:"),
            st.Page("pages/use/handwriting.py", title="Our handwriting", icon=":material/history_edu:"),
            st.Page("pages/use/inside.py", title="Look inside", icon=":material/biotech:"),
        ],
    }
    page = st.navigation(menu, position="hidden" if presentation.presenting() else "top", expanded=True)
    if not presentation.presenting():
        frame.sidebar(menu, page)
        follow.line(page)
    with follow.shared(page), work.carried(page), in_turn() if page.url_path == "train" else nullcontext():
        page.run()
else:
    # `streamlit run` finds this App and imports the file once, before the first browser comes. Because a folder named
    # pages exists, Streamlit would otherwise run the first session by its old discovery, which knows none of our pages
    # and lays a "Page not found" box over a deep link. Any call of st.navigation switches that discovery off.
    # The remarks that there is no browser and no runtime yet would be the first thing that everybody reads.
    early = ("scriptrunner_utils.script_run_context", "caching.cache_data_api")
    remarks = [logging.getLogger(f"streamlit.runtime.{name}") for name in early]
    for each in remarks:
        each.disabled = True
    from starlette.middleware import Middleware

    from lab.server import forged, headers, health
    from lab.server.cookie import OwnerCookie
    from lab.server.lifespan import supervised

    forged.install()
    middleware = [*headers.middleware(), Middleware(OwnerCookie)]
    app = st.App(__file__, lifespan=supervised, routes=health.routes(), middleware=middleware)
    st.navigation([st.Page(lambda: None, title="Before the first browser", url_path="before")])
    for each in remarks:
        each.disabled = False
