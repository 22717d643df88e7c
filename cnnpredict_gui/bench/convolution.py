"""A stopwatch for real convolutions on this machine, through PyTorch. Imported in child processes only.

One call is timed as inference runs it: ``torch.nn.functional.conv2d`` on NCHW tensors without bias, gradients off,
inputs and weights warm, the output freshly allocated. Times are host clock around single calls (``time.perf_counter``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from cnnpredict_gui.core.config import ConvConfig

TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Timing:
    """Times of the repeated calls of one layer, in milliseconds."""

    median_ms: float
    min_ms: float
    relative_std: float
    repeats: int


class Stopwatch:
    """Times layers one after the other; keeps one pool of random numbers instead of filling new tensors.

    Args:
        threads: Threads PyTorch may use (``torch.set_num_threads``); 1 repeats best on shared cores.
        budget_ms: Time to spend on the timed repeats of one layer.
        min_repeats: Least timed calls, however long one takes.
        max_repeats: Most timed calls, however short one is.
    """

    def __init__(self, threads: int = 1, budget_ms: float = 60.0, min_repeats: int = 3, max_repeats: int = 60) -> None:
        torch.set_num_threads(threads)
        self.budget_ms, self.min_repeats, self.max_repeats = budget_ms, min_repeats, max_repeats
        self._pool = torch.empty(0)

    def _tensor(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        count = int(np.prod(shape))
        if self._pool.numel() < count:
            self._pool = torch.rand(max(count, 1 << 22), generator=torch.Generator().manual_seed(0)) - 0.5
        return self._pool[:count].view(*shape).to(dtype)

    def time(self, config: ConvConfig) -> Timing:
        """Time one layer: two warm-up calls, then repeats until the budget is spent."""
        dtype = TORCH_DTYPES[config.dtype]
        c = config
        inputs = self._tensor(c.batch_size, c.input_channels, c.input_height, c.input_width, dtype=dtype)
        weights = self._tensor(
            c.output_channels, c.input_channels // c.groups, c.kernel_height, c.kernel_width, dtype=dtype
        ).clone()
        stride, padding = (c.stride_height, c.stride_width), (c.padding_height, c.padding_width)
        dilation = (c.dilation_height, c.dilation_width)
        times: list[float] = []
        with torch.inference_mode():
            for _ in range(2):
                torch.nn.functional.conv2d(inputs, weights, None, stride, padding, dilation, c.groups)
            while len(times) < self.min_repeats or (sum(times) < self.budget_ms and len(times) < self.max_repeats):
                start = time.perf_counter()
                torch.nn.functional.conv2d(inputs, weights, None, stride, padding, dilation, c.groups)
                times.append((time.perf_counter() - start) * 1e3)
        array = np.array(times)
        median = float(np.median(array))
        return Timing(median, float(array.min()), float(array.std() / median), len(times))
