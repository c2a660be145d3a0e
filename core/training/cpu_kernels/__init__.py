"""A CPU's own way to compute small networks, with kernels in C: see `accelerated`.

Everything else sees a function from images to the network's output, and the same `nn.Module` with the same weights. An
op without a kernel, or a machine without the compiler, has torch's own path.
"""

from core.training.cpu_kernels.network import Accelerated, accelerated

__all__ = ["Accelerated", "accelerated"]
