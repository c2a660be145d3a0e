"""Where the lab's files are: all in one folder in a checkout of the repository, in two once the lab is installed."""

from pathlib import Path

CODE = Path(__file__).resolve().parents[1]  # holds the packages core and lab
IS_CHECKOUT = (CODE / "streamlit_app.py").is_file()
APP = CODE if IS_CHECKOUT else CODE / "architecture_lab"  # the menu, the pages, the checkpoints that come with the lab
# What a user of the lab keeps: runs, data sets, secrets. An update of an installed lab deletes the folder of its code.
OWN = CODE if IS_CHECKOUT else Path.home() / "architecture-lab"
