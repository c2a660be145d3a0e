"""Draw: a digit of one's own, how it is prepared, and what several networks make of it."""

from lab.ui import checkpoints, frame
from lab.ui.links import link
from lab.ui.predictions import torch_warming
from lab.use.draw.pad import drawing_pad, make_ready

frame.heading(
    "Draw a digit", "Draw a digit and see what the network is given, and what it reads; then draw one that it does not."
)
frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("it will read your digits")
torch_warming()
drawing_pad(shelf)
link("use/inside", "Look inside a network at your drawing", {"from": "Drawing"}, icon="biotech")
link("learn/ladder", "How these networks came about")
make_ready(shelf)
