"""The System page, its charts and the monitor behind them."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.gpu import GpuSample
from cnnpredict_gui.bench.health import MEANINGS, Health, SystemFigures
from cnnpredict_gui.bench.resource_log import ResourceLog
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import save
from cnnpredict_gui.gui.health_panel import HealthPanel, uptime
from cnnpredict_gui.gui.resource_monitor import FAST_S, SLOW_S, ResourceMonitor, Span
from cnnpredict_gui.gui.resource_strips import MOST_CORES, strips
from cnnpredict_gui.gui.strip_chart import Line, Strip, StripChart, ago, nice_top
from cnnpredict_gui.gui.system_page import SystemPage
from cnnpredict_gui.gui.theme import DARK, LIGHT
from tests.bench.test_resources import FakeNvml, make_sample
from tests.gui.contract import WidgetContract, picture

GPU = GpuSample("NVIDIA Test", 40.0, 2_000.0, 8_000.0, 100.0, 1_500.0, 5_000.0, 60.0)


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> SystemPage:
    page = SystemPage(context)
    qtbot.addWidget(page)
    page.resize(740, 600)
    with qtbot.waitExposed(page):
        page.show()
    qtbot.waitUntil(lambda: not page.busy(), timeout=10_000)
    return page


def chart_of(page: SystemPage, title: str) -> StripChart:
    return next(chart for chart in page.charts if chart.strip.title == title)


class TestSystemContract(WidgetContract):
    def make(self, context: AppContext) -> QWidget:
        return SystemPage(context)

    def shown(self, qtbot: QtBot, context: AppContext) -> QWidget:
        page = super().shown(qtbot, context)
        assert isinstance(page, SystemPage)
        qtbot.waitUntil(lambda: not page.busy(), timeout=10_000)
        return page


# -- the monitor ------------------------------------------------------------------------------------------------------


def test_nothing_is_sampled_before_somebody_looks(qtbot: QtBot) -> None:
    monitor = ResourceMonitor()
    assert math.isinf(monitor.interval_s) and len(monitor.log) == 0
    monitor.watch("a", False)
    assert math.isinf(monitor.interval_s)
    with qtbot.waitSignal(monitor.sampled, timeout=10_000):
        monitor.watch("a", True)
    assert len(monitor.log) == 1 and monitor.interval_s == FAST_S
    monitor.watch("b", True)
    monitor.watch("a", False)
    assert monitor.interval_s == FAST_S
    monitor.watch("b", False)
    assert monitor.interval_s == SLOW_S
    monitor.shutdown()
    monitor.shutdown()


def test_a_measurement_is_sampled_and_marked(qtbot: QtBot) -> None:
    monitor = ResourceMonitor()
    with qtbot.waitSignal(monitor.sampled, timeout=10_000):
        span = monitor.begin("Benchmark")
    other = monitor.begin("Another")
    monitor.end(span)
    assert monitor.interval_s == FAST_S
    monitor.end(other)
    assert monitor.interval_s == SLOW_S
    first = monitor.spans[0]
    assert (first.title, first.start) == ("Benchmark", span.start) and first.end is not None and first.end >= first.start
    monitor.shutdown()


def test_the_page_watches_only_while_it_is_shown(qtbot: QtBot, page: SystemPage, context: AppContext) -> None:
    assert context.monitor.interval_s == FAST_S
    page.hide()
    assert context.monitor.interval_s == SLOW_S
    paints = [chart.plot.paints for chart in page.charts]
    context.monitor.sampled.emit(make_sample(time()))
    qtbot.wait(20)
    assert [chart.plot.paints for chart in page.charts] == paints
    page.show()
    assert context.monitor.interval_s == FAST_S
    qtbot.waitUntil(lambda: page.charts[0].plot.paints > paints[0], timeout=5_000)


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_tells_of_machine_health_and_what_is_missing(page: SystemPage) -> None:
    titles = [chart.strip.title for chart in page.charts]
    assert titles[:4] == ["Processor", "Memory", "Disks", "Network"]
    assert page.health.status.text().count("</b>") == 1
    assert page.health.state is not None and page.health.state.models_loaded == 15
    assert "15 models loaded, 0 failed" in page.health.figures.text() and "cores" in page.facts.text()
    assert "all cores" in chart_of(page, "Processor").describe() and "GB" in chart_of(page, "Memory").describe()


def test_without_a_gpu_it_says_so(qtbot: QtBot, context: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(count=0))
    page = SystemPage(context)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: not page.busy(), timeout=10_000)
    assert "No NVIDIA GPU found" in page.facts.text()
    assert not [chart for chart in page.charts if chart.strip.title.startswith("GPU")]


def test_gpus_have_charts_of_their_own(qtbot: QtBot, context: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    page = SystemPage(context)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: not page.busy(), timeout=10_000)
    assert "NVIDIA New, NVIDIA Old" in page.facts.text()
    titles = [chart.strip.title for chart in page.charts]
    assert {"GPU load", "GPU memory", "GPU power", "GPU clock", "GPU memory clock", "Temperature"} <= set(titles)
    assert chart_of(page, "GPU load").describe().startswith("NVIDIA New 37.0 %")
    assert "NVIDIA New 2.00 GB" in chart_of(page, "GPU memory").describe() and chart_of(page, "GPU memory").strip.top == 8


def test_the_span_is_chosen_and_kept(qtbot: QtBot, page: SystemPage, context: AppContext) -> None:
    button = next(one for one in page.findChildren(QAbstractButton) if one.text() == "30 min")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert {chart.span_s for chart in page.charts} == {1800.0}
    other = SystemPage(context)
    qtbot.addWidget(other)
    other.restore(page.save())
    assert other.span_s() == 1800
    for nonsense in ({}, {"span_s": 7}, {"span_s": "x"}, {"span_s": [1]}):
        other.restore(nonsense)
        assert other.span_s() == 1800


def test_marks_of_a_measurement_reach_the_charts(page: SystemPage, context: AppContext) -> None:
    before = picture(page.charts[0].plot)
    span = context.monitor.begin("Benchmark")
    assert page.charts[0].marks[-1].title == "Benchmark"
    context.monitor.end(span)
    context.monitor.spans = [Span("Benchmark", time() - 50, time() - 20)]
    context.monitor.spans_changed.emit()
    after = picture(page.charts[0].plot)
    assert after != before


# -- charts -----------------------------------------------------------------------------------------------------------


def make_chart(qtbot: QtBot, context: AppContext, samples: int = 90) -> StripChart:
    log = ResourceLog()
    for second in range(samples):
        log.append(make_sample(1_000.0 + second, cpu_percent=float(second % 50), memory_available_mb=math.nan))
    lines = (Line("cpu_percent", "all cores"), Line("core.0", "core 0", -1), Line("own_cpu_percent", "this program", 1, 0.5))
    chart = StripChart(context, Strip("Processor", "%", lines, 100.0), log)
    qtbot.addWidget(chart)
    chart.resize(400, 200)
    return chart


def test_only_the_span_is_drawn_and_exported(qtbot: QtBot, context: AppContext, tmp_path: Path) -> None:
    chart = make_chart(qtbot, context)
    chart.marks = [Span("Benchmark", 1_080.0, 1_085.0), Span("Later", 1_088.0)]
    path = tmp_path / "cpu.csv"
    save(chart, path, LIGHT)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert len(rows) == 61 and float(rows[0]["time_s"]) == 1_029 and float(rows[-1]["all cores (%)"]) == 39
    assert float(rows[-1]["this program (%)"]) == 10
    assert [row["measured"] for row in rows[-12:]] == [""] * 2 + ["Benchmark"] * 6 + [""] * 2 + ["Later"] * 2
    chart.span_s = 1_800.0
    assert len(chart.values()[0]) == 90


def test_lines_are_drawn_in_both_themes(qtbot: QtBot, context: AppContext) -> None:
    chart = make_chart(qtbot, context)
    for theme in (LIGHT, DARK):
        context.theme.apply(theme)
        image = picture(chart.plot)
        colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        assert theme.base in colours and theme.series[0] in colours
    context.theme.apply(LIGHT)


def test_a_gap_in_the_samples_is_a_gap_in_the_line(qtbot: QtBot, context: AppContext) -> None:
    def coloured(chart: StripChart) -> int:
        image = picture(chart.plot)
        return sum(
            image.pixelColor(x, y).name() == LIGHT.series[0]
            for x in range(60, image.width())
            for y in range(24, image.height() - 20)
        )

    whole, broken = ResourceLog(), ResourceLog()
    for second in range(60):
        whole.append(make_sample(1_000.0 + second))
        if not 20 < second < 40:
            broken.append(make_sample(1_000.0 + second))
    strip = Strip("Processor", "%", (Line("cpu_percent", "all"),), 100.0)
    charts = [StripChart(context, strip, log) for log in (whole, broken)]
    for chart in charts:
        qtbot.addWidget(chart)
        chart.resize(400, 200)
    assert coloured(charts[1]) < 0.8 * coloured(charts[0])


def test_an_empty_chart_waits(qtbot: QtBot, context: AppContext) -> None:
    chart = StripChart(context, Strip("Processor", "%", (Line("cpu_percent", "all"),)), ResourceLog())
    qtbot.addWidget(chart)
    picture(chart)
    assert chart.is_empty and chart.describe() == "" and chart.export_data().rows == []


def test_strips_follow_what_the_machine_offers() -> None:
    plain = strips(make_sample(temperatures={}))
    assert [strip.title for strip in plain][-1] == "Waiting or running"
    assert [line.column for line in plain[0].lines] == ["cpu_percent", "own_cpu_percent", "core.0", "core.1"]
    many = strips(make_sample(cores_percent=(1.0,) * (MOST_CORES + 1)))
    assert [line.column for line in many[0].lines] == ["cpu_percent", "own_cpu_percent"]
    rich = strips(make_sample(gpus=(GPU, replace(GPU, name="Other"))))
    temperature = next(strip for strip in rich if strip.title == "Temperature")
    assert [line.text for line in temperature.lines] == ["chip", "NVIDIA Test", "Other"]


@pytest.mark.parametrize(("value", "top"), [(0.01, 0.01), (0.011, 0.02), (3.0, 5.0), (5.0, 5.0), (99.0, 100.0), (101.0, 200.0)])
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


def test_times_in_words() -> None:
    assert (ago(30), ago(60), ago(1800)) == ("30 s", "1 min", "30 min")
    assert [uptime(s) for s in (42, 180, 7500, 100_000)] == ["42 s", "3 min", "2 h 5 min", "1 d 3 h"]


# -- health -----------------------------------------------------------------------------------------------------------


def test_models_that_are_being_loaded_are_no_illness(qtbot: QtBot, bare_context: AppContext) -> None:
    panel = HealthPanel(bare_context)
    qtbot.addWidget(panel)
    panel.show()
    panel.refresh()
    assert panel.state is None and "being loaded" in panel.status.text()
    with qtbot.waitSignal(bare_context.models.finished, timeout=10_000):
        bare_context.models.load()
    qtbot.waitUntil(lambda: panel.state is not None, timeout=10_000)
    assert "Unhealthy" in panel.status.text() and "no model is loaded" in panel.reasons.text()


def test_health_says_why(qtbot: QtBot, context: AppContext) -> None:
    panel = HealthPanel(context)
    qtbot.addWidget(panel)
    system = SystemFigures("a processor", 2, 50.0, 1.0, 16_000.0, 8_000.0, 100.0, 5_000.0, ())
    reasons = tuple(f"model {number} failed" for number in range(5))
    panel.show_state(Health("degraded", reasons, 10, 5, 100.0, 1_234, 2, 0.512, system))
    assert "Degraded" in panel.status.text() and LIGHT.warning in panel.status.text()
    assert panel.reasons.text().splitlines() == [*reasons[:3], "and 2 more; see Models"]
    assert "1,234 predictions, 2 errors, median 0.512 ms a call · up 1 min" in panel.figures.text()
    assert all(meaning in panel.status.toolTip() for meaning in MEANINGS.values())
    context.theme.apply(DARK)
    assert DARK.warning in panel.status.text()
    context.theme.apply(LIGHT)
    panel.show_state(Health("healthy", (), 15, 0, 100.0, 0, 0, None, system))
    assert "Healthy" in panel.status.text() and panel.reasons.isHidden() and "median" not in panel.figures.text()
