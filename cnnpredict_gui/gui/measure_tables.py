"""Tables of the Measure page: the layers measured, and the error of each predictor on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from cnnpredict_gui import __version__
from cnnpredict_gui.core.config import CONFIG_FIELDS
from cnnpredict_gui.core.measurement import Measurement
from cnnpredict_gui.core.names import FAMILIES
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.export import Data
from cnnpredict_gui.gui.format import percent
from cnnpredict_gui.gui.scatter_chart import ScatterPoint, ScatterSeries
from cnnpredict_gui.gui.series import series_styles
from cnnpredict_gui.gui.tables import Column, TableView
from cnnpredict_gui.gui.theme import Theme

if TYPE_CHECKING:
    from cnnpredict_gui.studies.measured import MeasuredErrors

#: Width of the middle half of the calls (percent of the median) from which a measurement is marked.
_SCATTERED = 20.0


def _doubt(one: Measurement, theme: Theme) -> str | None:
    if one.error:
        return theme.error
    return theme.warning if one.remark or one.iqr_percent > _SCATTERED else None


MEASUREMENT_COLUMNS = (
    Column("layer", "layer", lambda r: r.config.label()),
    Column("median_ms", "median (ms)", lambda r: r.median_ms, tip="Host clock around one call of PyTorch", numeric=True),
    Column(
        "iqr_percent",
        "spread",
        lambda r: r.iqr_percent,
        lambda r: percent(r.iqr_percent),
        "Width of the middle half of the calls, in percent of the median (interquartile range)",
        _doubt,
        numeric=True,
    ),
    Column("min_ms", "least (ms)", lambda r: r.min_ms, tip="The quickest call", numeric=True),
    Column(
        "relative_std",
        "rel. std",
        lambda r: r.relative_std,
        tip="Standard deviation of the calls over their median",
        hidden=True,
        numeric=True,
    ),
    Column("p25_ms", "25 % (ms)", lambda r: r.p25_ms, hidden=True, numeric=True),
    Column("p75_ms", "75 % (ms)", lambda r: r.p75_ms, hidden=True, numeric=True),
    Column("device_ms", "device (ms)", lambda r: r.device_ms, tip="By the GPU's own clock", hidden=True, numeric=True),
    Column("repeats", "calls", lambda r: r.repeats, tip="Calls that were timed, after the warm-up", numeric=True),
    Column(
        "interrupted_percent",
        "interrupted",
        lambda r: 100 * r.interrupted,
        lambda r: percent(100 * r.interrupted),
        "Share of calls that other programs interrupted; they are left out",
        hidden=True,
        numeric=True,
    ),
    Column("remark", "remark", lambda r: r.remark, colour=_doubt),
    Column("measured_at", "measured at (UTC)", lambda r: r.measured_at, hidden=True),
)


class MeasurementTable(TableView):
    """Measured layers; a double click makes one the current layer. Its CSV is read by the import of the Train page."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context, "Measured layers", MEASUREMENT_COLUMNS, lambda row: (row.config, astuple(row.setting)), dict)
        self.activated.connect(lambda _index: self._take_over())

    def _take_over(self) -> None:
        for one in self.selected_rows()[:1]:
            self.context.state.set_config(one.config, "choice of a measured layer")

    def _data(self, rows: list[Measurement]) -> Data:
        from cnnpredict_gui.bench.measurements import EXPORT_COLUMNS, export_rows

        return Data((*EXPORT_COLUMNS, *CONFIG_FIELDS), export_rows(rows), {"version": __version__})


def _metric(name: str) -> Column:
    titles = {
        "mape": ("MAPE", "Mean absolute error in percent of the measured time"),
        "median_ape": ("median error", "Median absolute error in percent of the measured time"),
        "within_10": ("within 10 %", "Share of layers with an error of at most 10 %"),
        "within_20": ("within 20 %", "Share of layers with an error of at most 20 %"),
        "coverage_90": ("in interval", "Share of measured times inside the 90 % interval"),
    }
    title, tip = titles[name]

    def value(row: MeasuredErrors) -> float | None:
        found = getattr(row.metrics, name) if row.metrics else None
        return float(found) if found is not None else None

    def text(row: MeasuredErrors) -> str:
        found = value(row)
        return percent(found) if found is not None else "–"

    return Column(f"{name}_percent", title, value, text, tip, numeric=True)


ERROR_COLUMNS = (
    Column("predictor", "predictor", lambda r: r.predictor, hidden=True),
    Column("target", "target", lambda r: r.target.title),
    Column("family", "family", lambda r: FAMILIES[r.family]),
    Column("layers", "layers", lambda r: len(r.points), tip="Layers measured in this kind of time", numeric=True),
    Column("in_range", "in range", lambda r: r.in_range, tip="Layers like the training data's", hidden=True, numeric=True),
    _metric("mape"),
    _metric("median_ape"),
    Column(
        "bias_percent",
        "bias",
        lambda r: r.bias_percent,
        lambda r: percent(r.bias_percent, signed=True),
        "Median signed error: positive where predictions are too high",
        numeric=True,
    ),
    _metric("within_10"),
    _metric("within_20"),
    _metric("coverage_90"),
    Column("time_kind", "time kind", lambda r: r.target.time_kind, lambda r: KIND_TEXTS[r.target.time_kind]),
)


class ErrorTable(TableView):
    """Errors of the chosen predictors on the layers measured."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context, "Errors of predictors", ERROR_COLUMNS, lambda row: row.predictor, lambda: {"version": __version__}
        )


def error_series(errors: Sequence[MeasuredErrors], theme: Theme) -> list[ScatterSeries]:
    """The predictors' points for the scatter chart."""
    styles = series_styles([(one.predictor, one.target.title, one.family) for one in errors], theme)
    return [
        ScatterSeries(
            f"{one.target.title.split(' · ', maxsplit=1)[0]} · {FAMILIES[one.family]}",
            styles[one.predictor].colour,
            styles[one.predictor].symbol,
            tuple(
                ScatterPoint(
                    point.measurement.config.label(),
                    point.measured_ms,
                    point.prediction.time_ms,
                    point.prediction.status == Status.EXTRAPOLATING,
                )
                for point in one.points
            ),
        )
        for one in errors
    ]
