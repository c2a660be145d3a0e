"""Draw: your own digit, how it is prepared, and what several networks read."""

from lab.ui import checkpoints, frame
from lab.ui.links import link
from lab.ui.predictions import torch_warming
from lab.use.draw.pad import drawing_pad, make_ready

frame.heading(
    "Draw a digit", "Draw a digit and see what the network gets and what it reads. Then draw one that it gets wrong."
)
frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("it reads your digits here")
torch_warming()
drawing_pad(shelf)
link("use/inside", "Look inside a network at your drawing", {"from": "Drawing"}, icon="biotech")
link("learn/ladder", "How these networks were designed")
make_ready(shelf)
