"""Measures real layers in a child process: rows arrive one by one, a probe layer tells how far the machine can be trusted."""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.bench.conditions import Conditions, Watcher
from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import CnnPredictError, ConfigError
from cnnpredict_gui.core.measurement import TIMING_FIELDS, Measurement, Setting

if TYPE_CHECKING:
    from cnnpredict_gui.bench.convolution import Stopwatch

#: The layer whose repeats tell of noise: some 30 M multiply-accumulates, a few ms on one core.
PROBE = ConvConfig.parse({"input_channels": 64, "input_height": 28, "input_width": 28, "output_channels": 64, "kernel_size": 3})
#: The probe is timed at the beginning, at the end, and at most this often in between.
PROBE_EVERY_S = 5.0
#: Share of the free memory the tensors of a layer may take; libraries need room of their own beside them.
MEMORY_SHARE = 0.4
#: What limits a measurement: least and most timed calls of a layer in a round.
MIN_REPEATS, MAX_REPEATS = 8, 1_000


@dataclass(frozen=True)
class MeasureRequest:
    """What to measure and how.

    ``device`` is PyTorch's name for it, ``budget_ms`` the most time for the repeated calls of a layer in one round,
    ``tolerance`` how well its median should be known (relative). With several rounds a layer's time is the least of their
    medians; every round has an order of its own, so that the rounds of a layer lie far apart.
    """

    layers: Sequence[ConvConfig]
    device: str = "cpu"
    threads: int = 1
    tf32: bool = False
    rounds: int = 1
    budget_ms: float = 500.0
    tolerance: float = 0.01


@dataclass(frozen=True)
class MeasureResult:
    """All layers in the order asked for, with the conditions they were measured under."""

    setting: Setting
    measurements: tuple[Measurement, ...]
    conditions: Conditions = field(default_factory=Conditions)


def measure(
    request: MeasureRequest,
    arrived: Callable[[int, Measurement], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> MeasureResult:
    """Measure layers in a child process.

    Args:
        request: What to measure.
        arrived: Called with a layer's place and its time, anew after each round.
        progress: Called with timings done and timings in all.
        cancelled: Asked ten times a second; true kills the child process.

    Raises:
        ConfigError: a number of the request is out of range.
        WorkerError: PyTorch is not installed or has no such device, or the process died.
        CancelledByUserError: ``cancelled`` said so; what arrived until then is good.
    """
    for name, low in (("threads", 1), ("rounds", 1), ("budget_ms", 1)):
        if getattr(request, name) < low:
            raise ConfigError(f"{name} is {getattr(request, name):g}, less than {low}", "give a larger number", name)
    configs, total = list(request.layers), len(request.layers) * request.rounds
    found: dict[int, Measurement] = {}
    settings: list[Setting] = []
    done = 0

    def listen(message: Message) -> None:
        nonlocal done
        if "setting" in message:
            settings.append(Setting(**message["setting"]))
            return
        place, done = message.pop("layer"), done + 1
        fresh = Measurement(configs[place], settings[0], measured_at=_now(), **message)
        if place not in found or not found[place].median_ms <= fresh.median_ms:
            found[place] = fresh
        if arrived:
            arrived(place, found[place])
        if progress:
            progress(done, total)

    work = asdict(replace(request, layers=[config.model_dump() for config in configs]))  # type: ignore[misc]
    answer = run_in_child(f"{__name__}:measure_in_this_process", work, listen, cancelled, measures=True)
    ordered = tuple(found[place] for place in range(len(configs)))
    return MeasureResult(settings[0], ordered, Conditions(**answer["conditions"]))


def list_devices(cancelled: Callable[[], bool] | None = None) -> list[tuple[str, str]]:
    """Name and title of what PyTorch can compute on here, asked in a child process; ``cancelled`` is asked ten times a second.

    Raises:
        WorkerError: PyTorch is not installed.
        CancelledByUserError: ``cancelled`` said so.
    """
    found = run_in_child(f"{__name__}:devices_in_this_process", {}, cancelled=cancelled, timeout=120)
    return [(name, title) for name, title in found["devices"]]


def devices_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process of :func:`list_devices`."""
    from cnnpredict_gui.bench.clocks import devices

    return {"devices": [[one.name, one.title] for one in devices(_torch(), processor_name())]}


def measure_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process: times each layer in each round and sends what was found."""
    torch = _torch()
    from cnnpredict_gui.bench.convolution import Stopwatch

    setting = _setting(torch, request["device"], request["threads"], request["tf32"])
    send({"setting": asdict(setting)})
    watch = Stopwatch(
        setting.threads,
        request["budget_ms"],
        MIN_REPEATS,
        MAX_REPEATS,
        request["tolerance"],
        warm_up=3,
        device=setting.device,
        tf32=setting.tf32,
    )
    probe = Stopwatch(setting.threads, 100.0, MIN_REPEATS, MAX_REPEATS, 0.01, device=setting.device)
    configs = [ConvConfig(**values) for values in request["layers"]]
    watcher = Watcher(setting.threads)
    probed = -PROBE_EVERY_S
    for place in _order(len(configs), request["rounds"]):
        if time.monotonic() - probed > PROBE_EVERY_S:
            watcher.look(probe.time(PROBE).median_ms)
            probed = time.monotonic()
        send({"layer": place, **_timed(watch, configs[place], setting.device)})
    watcher.look(probe.time(PROBE).median_ms)
    return {"conditions": asdict(watcher.conditions())}


def _order(layers: int, rounds: int) -> Iterable[int]:
    """Round by round; the first in the order given, the others each in one of its own."""
    for number in range(rounds):
        order = list(range(layers))
        if number:
            random.Random(number).shuffle(order)  # noqa: S311 - a reproducible order, no secret
        yield from order


def _timed(watch: Stopwatch, config: ConvConfig, device: str) -> Message:
    try:
        _check_memory(config, device)
        timing = watch.time(config)
    except CnnPredictError as error:
        return {"error": str(error)}
    except RuntimeError as error:  # PyTorch has no kernel for it, or memory ran out
        return {"error": str(error).splitlines()[0][:200]}
    return {name: getattr(timing, name) for name in TIMING_FIELDS}


def _check_memory(config: ConvConfig, device: str) -> None:
    """Refuse a layer whose tensors would push others out of memory.

    Raises:
        ConfigError: it is too large for this computer.
    """
    if device != "cpu":
        return  # PyTorch says so itself, without harm
    import psutil

    pool = 4 * max(config.input_elements, config.output_elements, config.weight_elements)
    needed, free = config.bytes_moved + pool, psutil.virtual_memory().available
    if needed > MEMORY_SHARE * free:
        gigabytes = f"{needed / 1e9:.1f} GB of tensors, {free / 1e9:.1f} GB are free"
        raise ConfigError(f"the layer needs {gigabytes}", "use a smaller batch or close other programs", "batch_size")


def _setting(torch: Any, device: str, threads: int, tf32: bool) -> Setting:
    from cnnpredict_gui.bench.clocks import devices

    known = {one.name: one.title for one in devices(torch, processor_name())}
    if device not in known:
        raise ConfigError(f"PyTorch has no device {device!r} here", f"use one of {', '.join(known)}", "device")
    library = " / oneDNN" if device == "cpu" and torch.backends.mkldnn.is_available() else ""
    if device.startswith("cuda"):
        library = " / MIOpen" if torch.version.hip else f" / cuDNN {torch.backends.cudnn.version()}"
    return Setting(
        platform.node() or "this computer", device, known[device], threads, f"PyTorch {torch.__version__}{library}", tf32
    )


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ConfigError("PyTorch is not installed", "install it: pip install torch", "device") from None
    return torch


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
