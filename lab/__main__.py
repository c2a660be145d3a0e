"""`python -m lab COMMAND`: the app's engine for servers and scripts, without Streamlit or plotly."""

import sys

from lab.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
