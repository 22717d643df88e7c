"""Writes the layer tables of the architecture presets from public model definitions.

Every network is traced once (torch.fx), its operators are stored as a graph from which shapes follow for any resolution,
and the graph is held against real forward passes on the meta device: all module outputs, at several resolutions and batch
sizes, square and not, and around the smallest resolution that the network accepts. A mismatch stops the tool.

Usage, from the top of the checkout: ``python -m tools.make_presets [--only NAME ...]`` with torch, torchvision and timm
installed (or on PYTHONPATH). Writes ``resources/presets/<name>.json``.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnpredict_gui.core.errors import ConfigError
from cnnpredict_gui.studies.graph import evaluate, parse_rows
from tools.preset_models import ENTRIES, LICENCES, SOURCES, Entry, build
from tools.preset_tracing import Converter, compact, weight_count

FORMAT = 1
#: (height, width, batch size) at which stored graphs are compared with real forward passes.
CHECKS = ((128, 128, 1), (160, 160, 2), (224, 224, 1), (299, 299, 1), (320, 320, 4), (384, 384, 1), (480, 640, 1))
#: The smallest resolution is looked for up to this many pixels.
LARGEST_MINIMUM = 256


def real_shapes(model: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Output shapes of all leaf modules in one forward pass on the meta device, in order of execution."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.append((name, tuple(out.shape))))
        for name, module in model.named_modules()
        if not isinstance(module, nn.Identity) and (not list(module.children()) or type(module).__name__ == "BatchNormAct2d")
    ]
    try:
        with torch.no_grad():
            model(torch.empty(shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


class Verifier:
    """Holds a converted graph against the real network."""

    def __init__(self, model: nn.Module, converter: Converter, channels: int) -> None:
        self.model, self.modules, self.channels = model, converter.modules, channels
        self.rows = parse_rows(compact(converter.rows))

    def check(self, height: int, width: int, batch: int) -> list[int]:
        """One comparison; returns [height, width, batch, convolution MACs, elements of all convolution outputs]."""
        shape = (batch, self.channels, height, width)
        names = {name for name, _ in self.modules}
        real = [(name, out) for name, out in real_shapes(self.model, shape) if name in names]
        layers = evaluate(self.rows, shape)
        ours = [(name, layers[index].output_shape) for name, index in self.modules]
        if ours != real:
            first = next((pair for pair in zip(ours, real, strict=False) if pair[0] != pair[1]), None)
            raise SystemExit(f"at {shape}: {first or 'a different number of layers'}")
        found = sum(layer.parameters for layer in layers)
        if found != weight_count(self.model):
            raise SystemExit(f"{found} parameters, the network has {weight_count(self.model)}")
        macs, elements = _real_convolutions(self.model, real)
        return [height, width, batch, macs, elements]

    def minimum(self, upper: int) -> int:
        """Smallest square size from which on every size up to ``upper`` is accepted; near it the real network must agree."""
        refused = [size for size in range(1, upper + 1) if not self._graph_accepts(size)]
        smallest = max(refused, default=0) + 1
        nearby = {size for size in range(smallest - 2, smallest + 3) if size > 0}
        for size in sorted(nearby | set(range(16, upper + 1, 16))):
            if self._graph_accepts(size) != self._network_accepts(size):
                raise SystemExit(f"the graph and the network disagree on {size} x {size}")
        return smallest

    def _graph_accepts(self, size: int) -> bool:
        try:
            evaluate(self.rows, (1, self.channels, size, size))
        except ConfigError:
            return False
        return True

    def _network_accepts(self, size: int) -> bool:
        try:
            real_shapes(self.model, (1, self.channels, size, size))
        except (RuntimeError, ValueError):
            return False
        return True


def _real_convolutions(model: nn.Module, real: list[tuple[str, tuple[int, ...]]]) -> tuple[int, int]:
    """MACs and output elements of the convolutions, counted from the real modules and their real outputs."""
    macs = elements = 0
    for name, shape in real:
        module = model.get_submodule(name)
        if isinstance(module, nn.Conv2d):
            count = math.prod(shape)
            elements += count
            macs += count * module.weight[0].numel()
    return macs, elements


def make(entry: Entry) -> dict[str, Any]:
    """The preset of one entry, verified."""
    model = build(entry)
    example = torch.empty((2, entry.input_channels, entry.resolution, entry.resolution), device="meta")
    converter = Converter(model, example)
    verifier = Verifier(model, converter, entry.input_channels)
    minimum = verifier.minimum(LARGEST_MINIMUM)
    own = ((entry.resolution, entry.resolution, 1), (minimum, minimum, 1))
    checks = [check for check in dict.fromkeys((*CHECKS, *own)) if min(check[:2]) >= minimum]
    return {
        "format": FORMAT,
        "name": entry.name,
        "title": entry.title,
        "task": entry.task,
        "source": SOURCES[entry.library],
        "licence": LICENCES[entry.library],
        "paper": entry.paper,
        "input_channels": entry.input_channels,
        "default_resolution": entry.resolution,
        "minimum_resolution": minimum,
        "parameters": weight_count(model),
        "checks": [verifier.check(*check) for check in checks],
        "rows": compact(converter.rows),
    }


def write(preset: dict[str, Any], folder: Path) -> Path:
    """Write a preset as JSON with one row a line."""
    lines = [f'"{key}": {json.dumps(value)}' for key, value in preset.items() if key != "rows"]
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in preset["rows"])
    path = folder / f"{preset['name']}.json"
    path.write_text("{" + ",\n".join(lines) + ',\n"rows": [\n' + rows + "\n]}\n", encoding="utf-8")
    return path


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="write the layer tables of the architecture presets")
    parser.add_argument("--only", nargs="*", help="names of the networks to make (default: all)")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[1] / "resources" / "presets")
    arguments = parser.parse_args()
    # torchvision registers meta kernels for its operators on import; without its C extension they must be declared first.
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for entry in ENTRIES:
        if not arguments.only or entry.name in arguments.only:
            preset = make(entry)
            path = write(preset, arguments.output)
            smallest, size = preset["minimum_resolution"], path.stat().st_size
            print(f"{entry.name}: {len(preset['rows'])} rows, from {smallest} px, {size:,} bytes")


if __name__ == "__main__":
    main()
