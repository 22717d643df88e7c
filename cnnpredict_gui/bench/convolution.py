"""A stopwatch for real convolutions on this machine, through PyTorch. Imported in child processes only.

One call is timed as inference runs it: ``torch.nn.functional.conv2d`` on NCHW tensors without bias, gradients off, inputs and
weights warm, the output freshly allocated; the two passes of training likewise through ``convolution_backward``. On a GPU
``float32`` stays ``float32``: TF32 is off unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import torch

from cnnpredict_gui.bench.clocks import Clock, Ticks, clock_for
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError

TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: Calls that were not interrupted, from which on the others are left out.
MIN_QUIET = 4
#: Two-sided 95 % quantile of the normal distribution.
_Z95 = 1.96


@dataclass(frozen=True)
class Timing:
    """Times of the repeated calls of one layer, in milliseconds.

    ``device_ms`` is the median by the device's own clock, NaN where it has none. ``stable`` says whether the median was known
    to the tolerance asked for before the time ran out. Calls that other programs interrupted (``interrupted``: their share) are
    left out; where hardly any was spared, the processor time of one-thread calls stands for the host clock (``own_time``).
    """

    median_ms: float
    min_ms: float
    relative_std: float
    repeats: int
    p25_ms: float = nan
    p75_ms: float = nan
    device_ms: float = nan
    stable: bool = True
    interrupted: float = 0.0
    own_time: bool = False


def median_uncertainty(times: Sequence[float]) -> float:
    """Half the 95 % confidence interval of the median over the median, by order statistics (any distribution)."""
    ordered = np.sort(times)
    n = len(ordered)
    reach = _Z95 * sqrt(n) / 2
    low, high = int(max(np.floor(n / 2 - reach), 0)), int(min(np.ceil(n / 2 + reach), n - 1))
    return float((ordered[high] - ordered[low]) / (2 * np.median(ordered)))


class Stopwatch:
    """Times layers one after the other; keeps one pool of random numbers instead of filling new tensors.

    Args:
        threads: Threads PyTorch may use (``torch.set_num_threads``); 1 repeats best on shared cores.
        budget_ms: Time to spend on the timed repeats of one layer.
        min_repeats: Least timed calls, however long one takes.
        max_repeats: Most timed calls, however short one is.
        tolerance: Stop before the budget is spent once the median is known this well (relative half of its 95 % confidence
            interval); 0 spends the budget.
        warm_up: Calls before the timed ones.
        device: ``cpu``, ``cuda:0``, ``mps``.
        tf32: Whether a GPU may round ``float32`` to TF32.
        clock: Another clock than the device's own, for tests.
    """

    def __init__(
        self,
        threads: int = 1,
        budget_ms: float = 60.0,
        min_repeats: int = 3,
        max_repeats: int = 60,
        tolerance: float = 0.0,
        warm_up: int = 2,
        device: str = "cpu",
        tf32: bool = False,
        clock: Clock | None = None,
    ) -> None:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        self.budget_ms, self.min_repeats, self.max_repeats = budget_ms, min_repeats, max_repeats
        self.tolerance, self.warm_up, self.device, self.threads = tolerance, warm_up, device, threads
        self._clock = clock or clock_for(torch, device)
        self._pool = torch.empty(0, device=device)

    def _tensor(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        count = int(np.prod(shape))
        if self._pool.numel() < count:
            pool = torch.rand(max(count, 1 << 22), generator=torch.Generator().manual_seed(0)) - 0.5
            self._pool = pool.to(self.device)
        return self._pool[:count].view(*shape).to(dtype)

    def time(self, config: ConvConfig) -> Timing:
        """Time one layer: the warm-up calls, then repeats until the median is known or the budget is spent.

        Raises:
            ConfigError: PyTorch has no convolution of this element type.
        """
        with torch.inference_mode():
            call = self._call(config)
            for _ in range(self.warm_up):
                self._clock.time(call)
            return self._summary(self._repeat(call))

    def _repeat(self, call: Callable[[], object]) -> list[Ticks]:
        ticks: list[Ticks] = []
        spent = 0.0
        while len(ticks) < self.min_repeats or (spent < self.budget_ms and len(ticks) < self.max_repeats):
            ticks.append(self._clock.time(call))
            spent += ticks[-1].wall_ms
            if self.tolerance and len(ticks) >= self.min_repeats and len(ticks) % 4 == 0 and self._known(ticks):
                break
        return ticks

    def _times(self, ticks: list[Ticks]) -> tuple[list[float], bool]:
        """Times to go by (ms), and whether they are processor times: those of calls that were not interrupted, if there are."""
        quiet = [one.wall_ms for one in ticks if not one.interrupted]
        if len(quiet) >= min(MIN_QUIET, len(ticks)):
            return quiet, False
        own = [one.own_ms for one in ticks]
        return (own, True) if self.threads == 1 and not np.isnan(own).any() else ([one.wall_ms for one in ticks], False)

    def _known(self, ticks: list[Ticks]) -> bool:
        return median_uncertainty(self._times(ticks)[0]) <= self.tolerance

    def _summary(self, ticks: list[Ticks]) -> Timing:
        used, own_time = self._times(ticks)
        times = np.array(used)
        low, median, high = np.percentile(times, (25, 50, 75)).tolist()
        return Timing(
            median,
            float(times.min()),
            float(times.std() / median),
            len(ticks),
            low,
            high,
            float(np.median([one.device_ms for one in ticks])),
            not self.tolerance or self._known(ticks),
            sum(one.interrupted for one in ticks) / len(ticks),
            own_time,
        )

    def _call(self, c: ConvConfig) -> Callable[[], object]:
        """What is timed, with its tensors made."""
        if c.dtype not in TORCH_DTYPES:
            raise ConfigError(f"PyTorch has no convolution of {c.dtype}", f"use one of {', '.join(TORCH_DTYPES)}", "dtype")
        dtype = TORCH_DTYPES[c.dtype]
        inputs = self._tensor(c.batch_size, c.input_channels, c.input_height, c.input_width, dtype=dtype)
        shape = (c.output_channels, c.input_channels // c.groups, c.kernel_height, c.kernel_width)
        weights = self._tensor(*shape, dtype=dtype).clone()
        stride, padding = [c.stride_height, c.stride_width], [c.padding_height, c.padding_width]
        dilation = [c.dilation_height, c.dilation_width]
        if c.direction == "forward":
            return lambda: torch.nn.functional.conv2d(inputs, weights, None, stride, padding, dilation, c.groups)
        gradient = self._tensor(c.batch_size, c.output_channels, c.output_height, c.output_width, dtype=dtype).clone()
        wanted = [c.direction == "backward_data", c.direction == "backward_weights", False]
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(gradient, inputs, weights, None, stride, padding, dilation, False, [0, 0], c.groups, wanted)
