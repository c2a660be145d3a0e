"""The command `architecture-lab` of an installed lab: alone it opens the app, with a command it is `python -m lab`."""

from __future__ import annotations

import sys

from core.places import APP
from lab.cli import parser


def main() -> int:
    """The exit status. What begins as an option of Streamlit's, such as --server.port, is handed on to the app."""
    given = sys.argv[1:]
    if given and not given[0].startswith(("--server.", "--browser.")):
        return parser.main(given)
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(APP / "streamlit_app.py"), *given]
    return int(cli.main() or 0)
