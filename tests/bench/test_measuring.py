"""Timing real layers: the stopwatch's rules with clocks made up, the GPU's clock with a made-up GPU, and this machine's CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from cnnpredict_gui.bench.clocks import CudaClock, HostClock, MpsClock, Ticks, clock_for, devices
from cnnpredict_gui.bench.conditions import Conditions, Watcher, repeatability
from cnnpredict_gui.bench.convolution import Stopwatch, median_uncertainty
from cnnpredict_gui.bench.measurements import MeasurementStore, export_csv
from cnnpredict_gui.bench.measuring import MeasureRequest, list_devices, measure
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, DataFileError, WorkerError
from cnnpredict_gui.core.measurement import Measurement, Setting, find_measurement, settings_of, usable
from cnnpredict_gui.studies.tabular import find_mapping, open_table
from tests.measured import SETTING, layer, measured


class ScriptedClock:
    """Gives times from a list, round and round, and counts the calls it really makes."""

    def __init__(self, times: list[float]) -> None:
        self.times, self.calls = times, 0

    def time(self, call: Callable[[], object]) -> Ticks:
        call()
        self.calls += 1
        return Ticks(self.times[(self.calls - 1) % len(self.times)], 0.5)


def test_warm_up_is_not_counted_and_a_steady_median_ends_the_repeats() -> None:
    clock = ScriptedClock([1.0])
    timing = Stopwatch(budget_ms=1e6, min_repeats=8, max_repeats=400, tolerance=0.01, warm_up=3, clock=clock).time(layer())
    assert (timing.repeats, clock.calls, timing.stable) == (8, 11, True)
    assert timing.median_ms == timing.p25_ms == timing.p75_ms == 1.0
    assert timing.device_ms == 0.5


def test_scattered_times_are_repeated_until_the_budget_and_called_unstable() -> None:
    clock = ScriptedClock([1.0, 3.0])
    timing = Stopwatch(budget_ms=100.0, min_repeats=8, max_repeats=400, tolerance=0.01, clock=clock).time(layer())
    assert timing.repeats == 50
    assert not timing.stable
    assert (timing.median_ms, timing.p25_ms, timing.p75_ms) == (2.0, 1.0, 3.0)
    assert timing.relative_std == pytest.approx(0.5)


class InterruptedClock:
    """Every call takes 1 ms of processor time; some are interrupted for 9 ms. Counts calls."""

    def __init__(self, interrupted: list[bool]) -> None:
        self.interrupted, self.calls = interrupted, 0

    def time(self, call: Callable[[], object]) -> Ticks:
        self.calls += 1
        hit = self.interrupted[self.calls % len(self.interrupted)]
        return Ticks(10.0 if hit else 1.1, interrupted=hit, own_ms=1.0)


def test_interrupted_calls_are_left_out_and_without_others_processor_time_counts() -> None:
    half = Stopwatch(budget_ms=500, min_repeats=8, tolerance=0.01, clock=InterruptedClock([True, False])).time(layer())
    assert (half.median_ms, half.interrupted, half.own_time, half.stable) == (1.1, 0.5, False, True)
    always = Stopwatch(budget_ms=500, min_repeats=8, tolerance=0.01, clock=InterruptedClock([True])).time(layer())
    assert (always.median_ms, always.interrupted, always.own_time) == (1.0, 1.0, True)
    threads = Stopwatch(threads=2, budget_ms=500, min_repeats=8, clock=InterruptedClock([True])).time(layer())
    assert (threads.median_ms, threads.own_time) == (10.0, False)  # processor time of one thread says nothing then
    assert "interrupted" in Measurement(layer(), SETTING, 1.0, interrupted=1.0, own_time=True).remark


def test_host_clock_tells_processor_time_from_waiting() -> None:
    waiting = HostClock().time(lambda: sleep(0.05))
    assert waiting.own_ms < 10 < waiting.wall_ms


def test_uncertainty_of_the_median_shrinks_with_repeats() -> None:
    few, many = ([float(1 + place / count) for place in range(count)] for count in (20, 2000))
    assert 0.1 < median_uncertainty(few) < 0.2
    assert 0.01 < median_uncertainty(many) < 0.02


def test_gpu_time_is_taken_between_events_with_nothing_left_running() -> None:
    steps: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            self.number = sum(step == "made" for step in steps)
            steps.append("made")

        def record(self) -> None:
            steps.append(f"record {self.number}")

        def synchronize(self) -> None:
            steps.append(f"wait {self.number}")

        def elapsed_time(self, end: Event) -> float:
            assert (self.number, end.number) == (0, 1)
            return 0.25

    cuda = SimpleNamespace(Event=Event, synchronize=lambda device: steps.append(f"wait for {device}"))
    ticks = CudaClock(cuda, "cuda:1").time(lambda: steps.append("call"))
    assert steps[2:] == ["wait for cuda:1", "record 0", "call", "record 1", "wait 1"]
    assert ticks.device_ms == 0.25
    assert ticks.wall_ms > 0


def test_every_device_of_the_framework_is_offered_with_its_clock() -> None:
    steps: list[str] = []
    event = SimpleNamespace
    fake = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 2,
            get_device_name=lambda number: f"GPU {number}",
            Event=lambda enable_timing: event(),
        ),
        mps=SimpleNamespace(synchronize=lambda: steps.append("wait")),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True)),
    )
    found = devices(fake, "Chip")
    assert [(one.name, one.title) for one in found] == [
        ("cpu", "Chip"),
        ("cuda:0", "GPU 0"),
        ("cuda:1", "GPU 1"),
        ("mps", "Chip, GPU"),
    ]
    clocks = [clock_for(fake, one.name) for one in found]
    assert [type(clock) for clock in clocks] == [HostClock, CudaClock, CudaClock, MpsClock]
    clocks[3].time(lambda: steps.append("call"))
    assert steps == ["wait", "call", "wait"]


@pytest.mark.parametrize("wanted", [False, True])
def test_tf32_only_when_asked_for(wanted: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not wanted
    Stopwatch(tf32=wanted)
    assert torch.backends.cuda.matmul.allow_tf32 is wanted
    assert torch.backends.cudnn.allow_tf32 is wanted


@pytest.mark.parametrize(("direction", "wanted"), [("backward_data", (0, None)), ("backward_weights", (None, 1))])
def test_passes_of_training_compute_what_they_are_named_after(direction: str, wanted: tuple[int | None, ...]) -> None:
    config = layer(direction=direction, stride=2, groups=2)
    watch = Stopwatch()
    given = watch._call(config)()
    assert isinstance(given, tuple)
    shapes = [tuple(one.shape) if one is not None else None for one in given]
    expected = [(1, 8, 12, 12), (16, 4, 3, 3)]
    assert shapes[:2] == [expected[0] if wanted[0] is not None else None, expected[1] if wanted[1] is not None else None]


def test_layers_are_timed_for_real_and_an_impossible_one_says_why() -> None:
    layers = [layer(), layer(dtype="int8"), layer(kernel_size=1)]
    seen: list[int] = []
    progress: list[tuple[int, int]] = []
    request = MeasureRequest(layers, rounds=2, budget_ms=2.0)
    result = measure(request, lambda place, _one: seen.append(place), lambda *both: progress.append(both))
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]
    assert progress == [(done, 6) for done in range(1, 7)]
    assert [one.config for one in result.measurements] == layers
    first, refused, last = result.measurements
    assert usable(first) and usable(last) and not usable(refused)
    assert "int8" in refused.error
    assert first.min_ms <= first.p25_ms <= first.median_ms <= first.p75_ms
    assert first.repeats >= 8
    assert result.setting.threads == 1
    assert result.setting.framework.startswith(f"PyTorch {torch.__version__}")
    assert result.conditions.repeatability is not None
    assert first.time_ms("framework_wall_clock") == first.median_ms
    assert first.time_ms("call_with_host_copies") != first.median_ms


def test_cancel_keeps_what_arrived() -> None:
    arrived: list[Measurement] = []
    request = MeasureRequest([layer(output_channels=8 * number) for number in range(1, 200)], budget_ms=5.0)
    with pytest.raises(CancelledByUserError):
        measure(request, lambda _place, one: arrived.append(one), cancelled=lambda: len(arrived) >= 2)
    assert 2 <= len(arrived) < 199


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match="threads is 0"):
        measure(MeasureRequest([layer()], threads=0))
    with pytest.raises(WorkerError, match="no device 'cuda:7'"):
        measure(MeasureRequest([layer()], device="cuda:7"))
    huge = layer(batch_size=65_536, input_channels=64, output_channels=64, input_height=512, input_width=512)
    assert "GB of tensors" in measure(MeasureRequest([huge])).measurements[0].error


def test_devices_of_this_machine() -> None:
    assert list_devices()[0][0] == "cpu"


def test_each_doubtful_condition_warns() -> None:
    quiet = Conditions(False, 3000.0, 3100.0, 0.1, 4, 1, 2.0)
    assert quiet.warnings == ()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"on_battery": True}, "battery"),
        ({"frequency_mhz": 1800.0}, "1800 of 3100 MHz"),
        ({"other_cores": 3.5}, "3.5 of 4 cores"),
        ({"repeatability": 24.0}, "24 % longer"),
    ]
    for change, text in cases:
        (warning,) = Conditions(**(quiet.__dict__ | change)).warnings
        assert text in warning
    assert Conditions(other_cores=0.4, cores=4, threads=4).warnings  # no core is left for others


def test_watcher_takes_the_lowest_frequency_and_the_spread_of_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    frequencies = iter([[(2900.0, 3000.0), (800.0, 3000.0)], [(2000.0, 3000.0)]])
    core = SimpleNamespace
    monkeypatch.setattr(
        psutil,
        "cpu_freq",
        lambda percpu: [core(current=now, max=most) for now, most in next(frequencies)],
    )
    monkeypatch.setattr(psutil, "sensors_battery", lambda: core(power_plugged=False), raising=False)
    watcher = Watcher(threads=2)
    watcher.look(1.0)
    watcher.look(1.3)
    found = watcher.conditions()
    assert (found.frequency_mhz, found.max_frequency_mhz, found.on_battery, found.threads) == (2000.0, 3000.0, True, 2)
    assert found.repeatability == pytest.approx(30.0)
    assert repeatability([1.0]) is None


def test_store_gives_back_what_was_kept_and_replaces_older_ones(tmp_path: Path) -> None:
    store = MeasurementStore()
    assert store.all() == []
    first, other = measured(layer(), 1.5), measured(layer(), 2.5, Setting("pc", "cpu", "Chip", 4, "PyTorch 9"))
    store.keep([first, other, Measurement(layer(), SETTING, error="no")])
    assert set(MeasurementStore().all()) == {first, other}
    newer = measured(layer(), 1.25, at="2026-02-02T00:00:00+00:00")
    store.keep([newer])
    assert store.all() == [newer, other]
    assert settings_of(store.all()) == [SETTING, other.setting]
    assert find_measurement(store.all(), layer(algorithm="winograd")) == newer
    assert find_measurement(store.all(), layer(batch_size=2)) is None
    store.forget([newer])
    assert store.all() == [other]


def test_damaged_store_is_set_aside_and_a_newer_one_refused(tmp_path: Path) -> None:
    store = MeasurementStore(tmp_path / "kept" / "m.sqlite")
    store.path.parent.mkdir()
    store.path.write_bytes(b"this is no database, and never was one " * 40)
    assert store.all() == []
    assert [path.name.startswith("m.damaged-") for path in store.path.parent.iterdir() if path != store.path] == [True]
    store.keep([measured(layer(), 1.0)])
    assert len(store.all()) == 1
    import sqlite3

    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataFileError, match="newer version"):
        store.all()


def test_exported_measurements_can_be_imported_again(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export_csv([measured(layer(), 1.5), measured(layer(kernel_size=5), 3.0)], path)
    preview = open_table(path)
    mapping = find_mapping(preview.columns)
    assert mapping["kernel_height"] == "kernel_height"
    rows = [dict(zip(preview.columns, row, strict=True)) for row in preview.sample]
    assert [(row["time_ms"], row["kernel_height"], row["time_kind"]) for row in rows] == [
        ("1.5", "3", "framework_wall_clock"),
        ("3.0", "5", "framework_wall_clock"),
    ]
