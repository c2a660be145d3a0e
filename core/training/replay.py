"""A training iteration as a CUDA graph. The networks here are so small that a GPU computes an iteration in less time
than Python takes to ask for its hundred kernels; recorded once, they are all asked for by one call.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls for each batch size that run as they are, before one is recorded: libraries choose kernels in them

# CUDA allows one recording at a time in a process: to begin one, torch waits for the whole device, and that wait breaks
# any other recording on it. Meanwhile other threads may replay, and run what is not recorded: they use streams of their
# own, and in the mode "thread_local" what they allocate does not break the recording.
_recording = threading.Lock()

log = logging.getLogger(__name__)

Iterate = Callable[..., None]


class Replayed:
    """Called like the function it guards, with tensors; on a GPU it replays a recording of what the function did.

    What differs from call to call must come in through the arguments, or stand in tensors that stay where they are. A
    recording is made for each combination of shapes, such as an epoch's smaller last batch. Where none can be made the
    function is called itself, and `reason` and the log say why.
    """

    def __init__(self, iterate: Iterate, device: torch.device, generator: torch.Generator) -> None:
        self.iterate = iterate
        self.generator = generator
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.reason = "" if self.stream else f"{device.type} has no CUDA graphs"
        self._calls: dict[tuple[torch.Size, ...], int] = {}
        self._recorded: dict[tuple[torch.Size, ...], tuple[tuple[Tensor, ...], Callable[[], None]]] = {}

    def __call__(self, *arguments: Tensor) -> None:
        if self.stream is None:
            self.iterate(*arguments)
            return
        outside = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(outside)  # a recording needs a stream of its own, and warm-ups must be on the same
        with torch.cuda.stream(self.stream):
            self.call(*arguments)
        outside.wait_stream(self.stream)

    def call(self, *arguments: Tensor) -> None:
        """Replay, record and replay, or just call the function."""
        shapes = tuple(argument.shape for argument in arguments)
        if shapes not in self._recorded and not self.reason and self._calls.get(shapes, 0) >= WARM_UP:
            self._try_to_record(shapes, arguments)
        if shapes not in self._recorded:
            self._calls[shapes] = self._calls.get(shapes, 0) + 1
            self.iterate(*arguments)
            return
        fixed, replay = self._recorded[shapes]
        for inside, given in zip(fixed, arguments, strict=True):
            inside.copy_(given)
        replay()

    def _try_to_record(self, shapes: tuple[torch.Size, ...], arguments: tuple[Tensor, ...]) -> None:
        fixed = tuple(argument.clone() for argument in arguments)
        try:
            self._recorded[shapes] = fixed, self.record(fixed)
        except RuntimeError as error:  # recording runs nothing, so nothing is lost
            self.reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.warning("iterations are not recorded as a CUDA graph, which makes them slower: %s", self.reason)

    def record(self, fixed: tuple[Tensor, ...]) -> Callable[[], None]:
        """Record the function on these tensors; what comes back does again what it did, on what they then hold."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with _recording, torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            self.iterate(*fixed)
        return graph.replay
