"""The neural network's fit."""

from __future__ import annotations

import numpy as np
import torch

from cnnpredict_gui.training.network_regressor import NetworkRegressor


def test_the_network_is_the_moving_average_of_its_weights() -> None:
    """Of three steps, the last of them with a learning rate of almost nothing."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(64, 5)).astype(np.float32)
    wanted = features.sum(axis=1).astype(np.float64)

    def weights(averaging: float) -> torch.Tensor:
        fitted = NetworkRegressor.fit(
            features,
            wanted,
            np.ones(64),
            seed=0,
            threads=1,
            width=8,
            blocks=1,
            steps=3,
            batch_size=16,
            learning_rate=0.01,
            weight_decay=0.1,
            averaging=averaging,
        )
        return torch.nn.utils.parameters_to_vector(fitted.network.parameters()).detach()

    first, last = weights(1.0), weights(0.0)
    assert not torch.allclose(first, last, atol=1e-3)
    assert torch.allclose(weights(0.5), 0.25 * first + 0.75 * last, atol=1e-6)
