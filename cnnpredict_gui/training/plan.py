"""Which layers to measure: those of well-known CNNs, and random ones that span the space of configurations."""

from __future__ import annotations

import math
import random

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.studies.presets import list_presets

#: Multiply-accumulates and elements of a planned layer, so that one call takes from microseconds to about a tenth of a second.
MACS = (20_000, 2_500_000_000)
MAX_ELEMENTS = 40_000_000
#: Share of the plan that is random; the rest comes from networks.
RANDOM_SHARE = 0.6
KERNELS = {1: 30, 3: 34, 5: 10, 7: 8, 9: 4, 11: 4, 2: 3, 4: 3, 6: 2, 8: 2}
STRIDES = {1: 62, 2: 26, 3: 5, 4: 7}
KINDS = {"dense": 72, "depthwise": 16, "grouped": 12}
RESOLUTIONS = (128, 160, 192, 256, 288, 320, 384)
BATCH_SIZES = (2, 4, 8, 16, 32)


def layer_plan(count: int, seed: int) -> list[tuple[ConvConfig, str]]:
    """``count`` different layers with the names of the networks they occur in (joined by ``|``), the same for a seed."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible plan, no secret
    found = _network_layers(rng)
    names = list(found)
    rng.shuffle(names)
    plan = {config: "|".join(sorted(found[config])) for config in names[: round(count * (1 - RANDOM_SHARE))]}
    while len(plan) < count:
        config = _random_layer(rng)
        if config is not None:
            plan.setdefault(config, "|".join(sorted(found.get(config, ()))))
    return list(plan.items())


def _network_layers(rng: random.Random) -> dict[ConvConfig, set[str]]:
    """Layers of every preset at its own resolution, at a smaller and a larger one, and at a larger batch."""
    found: dict[ConvConfig, set[str]] = {}
    for network in list_presets():
        usual = network.default_resolution
        others = [size for size in RESOLUTIONS if size >= network.minimum_resolution]
        sizes = [(usual, 1), (rng.choice(others), 1), (rng.choice(others), 1), (usual, rng.choice(BATCH_SIZES))]
        for resolution, batch_size in sizes:
            for layer in network.layers(resolution, batch_size):
                if layer.config is not None and _affordable(layer.config):
                    found.setdefault(layer.config, set()).add(network.name)
    return found


def _affordable(config: ConvConfig) -> bool:
    return MACS[0] < config.macs < MACS[1] and config.input_elements + config.output_elements < MAX_ELEMENTS


def _log_uniform(rng: random.Random, low: int, high: int) -> int:
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))


def _channels(rng: random.Random) -> int:
    """1 to 2048; more than half of the draws are multiples of 8 to 64, as in real networks."""
    value = _log_uniform(rng, 1, 2048)
    if rng.random() < 0.55:
        for multiple in (64, 32, 16, 8):
            if value >= multiple:
                return round(value / multiple) * multiple
    return value


def _pick(rng: random.Random, weights: dict[int, int]) -> int:
    return rng.choices(list(weights), list(weights.values()))[0]


def _random_layer(rng: random.Random) -> ConvConfig | None:
    """One draw; none where it cannot exist or would take too long."""
    kernel, stride = _pick(rng, KERNELS), _pick(rng, STRIDES)
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    inputs, outputs, groups = _channels(rng), _channels(rng), 1
    if kind == "depthwise":
        groups = outputs = inputs
    elif kind == "grouped":
        groups = 2 ** rng.randint(1, 6)
        inputs, outputs = (max(groups, value // groups * groups) for value in (inputs, outputs))
    height = _log_uniform(rng, 7, 512)
    width = height if rng.random() < 0.85 else _log_uniform(rng, 7, 512)
    dilation = 2 if kernel > 1 and rng.random() < 0.04 else 1
    padding = dilation * (kernel - 1) // 2 if rng.random() < 0.9 else 0
    try:
        config = ConvConfig(
            batch_size=_log_uniform(rng, 1, 64) if rng.random() < 0.6 else 1,
            input_channels=inputs,
            input_height=height,
            input_width=width,
            output_channels=outputs,
            kernel_height=kernel,
            kernel_width=kernel,
            stride_height=stride,
            stride_width=stride,
            padding_height=padding,
            padding_width=padding,
            dilation_height=dilation,
            dilation_width=dilation,
            groups=groups,
        )
    except ConfigError:
        return None
    heavy = config.macs > MACS[1] / 6 and rng.random() < 0.5
    return config if _affordable(config) and not heavy else None
