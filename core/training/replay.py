"""A training iteration as a CUDA graph. The networks are so small that a GPU computes an iteration faster than Python
starts its hundred kernels; recorded once, one call starts them all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls for each batch size before the recording, in which libraries choose their kernels

# A process may make one recording at a time: before it, torch waits for the whole device, which breaks any other
# recording on it. Other threads may replay meanwhile, or run kernels: they have streams of their own, and in the mode
# "thread_local" their allocations do not break the recording.
_recording = threading.Lock()

log = logging.getLogger(__name__)

Iterate = Callable[..., None]


def _recordable(device: torch.device) -> torch.cuda.Stream:
    """This thread's own stream; a new one where that is the default stream, on which nothing can be recorded.

    A process has 32 of them, which are given out again and again: with a new one for each run, two threads come to
    share one, and the recording of one takes in what the other asks for.
    """
    own = torch.cuda.current_stream(device)
    return torch.cuda.Stream(device) if own == torch.cuda.default_stream(device) else own


class Replayed:
    """A function of tensors that a GPU replays from a recording.

    Everything that changes from call to call must be an argument, or the content of a tensor that keeps its place in
    memory. Each combination of shapes has its own recording, such as an epoch's smaller last batch. If no recording is
    possible, the function itself is called; `reason` and the log say why.
    """

    def __init__(
        self, iterate: Iterate, device: torch.device, generator: torch.Generator, unrecorded: str = ""
    ) -> None:
        """`unrecorded`: why no recording would repeat the function; "" where one does."""
        self.iterate = iterate
        self.generator = generator
        self.stream = _recordable(device) if device.type == "cuda" else None
        self.reason = unrecorded if self.stream else f"{device.type} has no CUDA graphs"
        self._calls: dict[tuple[torch.Size, ...], int] = {}
        self._recorded: dict[tuple[torch.Size, ...], tuple[tuple[Tensor, ...], Callable[[], None]]] = {}

    def __call__(self, *arguments: Tensor) -> None:
        if self.stream is None:
            self.iterate(*arguments)
            return
        outside = torch.cuda.current_stream(self.stream.device)
        if outside == self.stream:
            self.call(*arguments)
            return
        self.stream.wait_stream(outside)  # the calls before a recording must be on its stream too
        with torch.cuda.stream(self.stream):
            self.call(*arguments)
        outside.wait_stream(self.stream)

    def call(self, *arguments: Tensor) -> None:
        """Replay a recording, after making it if there is none; or just call the function."""
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
        """Record the function on these tensors; the result repeats it with their current content."""
        graph, first = torch.cuda.CUDAGraph(), list[Exception]()
        graph.register_generator_state(self.generator)
        try:
            with _recording, torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                try:
                    self.iterate(*fixed)
                except Exception as error:
                    first.append(error)
                    raise
        except RuntimeError:
            if first:  # the end of a broken recording raises an error of its own, which tells less
                raise first[0] from None
            raise
        return graph.replay
