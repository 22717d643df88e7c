"""The neural network: a residual multilayer perceptron in PyTorch with the standardisation inside."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

#: Standardised features are cut off here, so that a far extrapolation cannot blow up the activations.
CLIP = 6.0
#: Log error from which on the percentage error grows linearly.
STEEPEST = 2.0
PREDICT_ROWS = 8192


class ResidualBlock(nn.Module):
    """``x + W2 silu(W1 norm(x))``, width kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Add the block's correction, shape (n, width)."""
        corrected: torch.Tensor = hidden + self.down(nn.functional.silu(self.up(self.norm(hidden))))
        return corrected


class TimeNetwork(nn.Module):
    """Features of shape (n, f) to the log ratio, shape (n, 1); standardises its input and scales its output."""

    mean: torch.Tensor
    scale: torch.Tensor
    output_mean: torch.Tensor
    output_scale: torch.Tensor

    def __init__(self, features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.shape = {"features": features, "width": width, "blocks": blocks}
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("output_mean", torch.zeros(1))
        self.register_buffer("output_scale", torch.ones(1))
        self.entry = nn.Linear(features, width)
        self.blocks = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """Features with zero mean and unit variance over the training rows, cut off at ``CLIP``."""
        return ((features - self.mean) / self.scale).clamp(-CLIP, CLIP)

    def core(self, inputs: torch.Tensor) -> torch.Tensor:
        """The network proper: standardised features to the standardised log ratio, shape (n, 1)."""
        ratio: torch.Tensor = self.head(nn.functional.silu(self.norm(self.blocks(self.entry(inputs)))))
        return ratio

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Log ratio, shape (n, 1)."""
        return self.core(self.standardised(features)) * self.output_scale + self.output_mean


def time_loss(error: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Loss of each row, shape (n,): half smooth absolute error of the log ratio, half absolute percentage error of the time.

    The second half (linear beyond ``STEEPEST``) makes it costly to take a fast layer for one of the few that are a hundred
    times slower: such rows are rare, but make most of the percentage error.

    Args:
        error: Predicted less true log ratio in units of ``scale``, shape (n,).
        scale: Standard deviation of the log ratio, shape (1,).
    """
    smooth = nn.functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05, reduction="none")
    logs = error * scale
    percentage = torch.expm1(logs.clamp(max=STEEPEST)).abs() + math.exp(STEEPEST) * (logs - STEEPEST).clamp(min=0)
    return (smooth + percentage / scale) / 2


class NetworkRegressor:
    """A trained :class:`TimeNetwork` with the ``predict`` of the other families."""

    def __init__(self, network: TimeNetwork) -> None:
        self.network = network.eval()

    @classmethod
    def fit(
        cls,
        features: npt.NDArray[np.float32],
        log_ratio: npt.NDArray[np.float64],
        weight: npt.NDArray[np.float64],
        *,
        seed: int,
        threads: int,
        width: int,
        blocks: int,
        steps: int,
        batch_size: int,
        learning_rate: float,
        weight_decay: float,
    ) -> Self:
        """Fit by AdamW under a one-cycle schedule to :func:`time_loss`; deterministic for a seed and one thread."""
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        network = TimeNetwork(features.shape[1], width, blocks)
        inputs, wanted = _set_scales(network, features, log_ratio)
        weights = torch.tensor(weight, dtype=torch.float32)
        optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.1)
        generator = torch.Generator().manual_seed(seed)
        batches: list[torch.Tensor] = []
        for _ in range(steps):
            if not batches:
                batches = list(torch.split(torch.randperm(len(wanted), generator=generator), batch_size))
            rows = batches.pop()
            error = network.core(inputs[rows])[:, 0] - wanted[rows]
            loss = (time_loss(error, network.output_scale) * weights[rows]).mean()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
        return cls(network)

    def predict(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Log ratio of each row, shape (n,)."""
        with torch.inference_mode():
            parts = [self.network(part)[:, 0].double() for part in torch.split(torch.from_numpy(features), PREDICT_ROWS)]
        return torch.cat(parts).numpy()

    def checkpoint(self) -> dict[str, Any]:
        """What goes into the ``.pth``: plain containers and tensors, loadable with ``weights_only=True``."""
        return {"format": 1, "shape": dict(self.network.shape), "state_dict": self.network.state_dict()}

    @classmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        """The regressor a checkpoint was made of."""
        network = TimeNetwork(**checkpoint["shape"])
        network.load_state_dict(checkpoint["state_dict"])
        return cls(network)


def _set_scales(network: TimeNetwork, features: Any, log_ratio: Any) -> tuple[torch.Tensor, torch.Tensor]:
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    network.mean.copy_(torch.from_numpy(mean))
    network.scale.copy_(torch.from_numpy(scale))
    network.output_mean.fill_(float(log_ratio.mean()))
    network.output_scale.fill_(float(log_ratio.std()) + 1e-6)
    with torch.no_grad():
        inputs = network.standardised(torch.from_numpy(features))
    wanted = (torch.from_numpy(log_ratio) - network.output_mean) / network.output_scale
    return inputs, wanted.float()
