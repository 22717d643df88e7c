"""What the Models view shows of each model, and model cards as pages and tables. No widgets here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.gui.compare_tables import KIND_TEXTS
from cnnpredict_gui.gui.csv_text import Cell
from cnnpredict_gui.gui.format import percent, sig3
from cnnpredict_gui.gui.tables import Column
from cnnpredict_gui.gui.theme import Theme
from cnnpredict_gui.infra.paths import bundled_models_dir

if TYPE_CHECKING:
    from cnnpredict_gui.core.card import Metrics
    from cnnpredict_gui.serving.library import ModelEntry

GROUPED = "grouped_by_shape"
PROTOCOLS = {
    "random_5_fold": "random five folds",
    "grouped_by_shape": "shapes never seen",
    "leave_one_network_out": "networks never seen",
    "unseen_combinations": "combinations never seen",
    "separate_layers": "separate layers, at random",
}
STATUS_TEXTS = {"loaded": "ready", "found": "not loaded yet", "failed": "failed", "waiting": "importing…"}


@dataclass(frozen=True)
class ModelRow:
    """An entry with the size of its files in bytes."""

    entry: ModelEntry
    size: int

    @property
    def key(self) -> str:
        """Identity: the path of its card or file."""
        return str(self.entry.path)

    @property
    def metrics(self) -> Metrics | None:
        """Accuracy on shapes never seen."""
        return self.entry.card.metrics.get(GROUPED) if self.entry.card else None

    @property
    def target(self) -> str:
        """Title of the target, or the folder when no card tells it."""
        return self.entry.target.title if self.entry.target else self.entry.folder.name

    def searched(self) -> str:
        """Text that the search looks in."""
        entry = self.entry
        parts = (self.target, entry.name, FAMILIES[entry.family], entry.version, entry.reason, STATUS_TEXTS[entry.status])
        return " ".join((*parts, entry.target.time_kind if entry.target else "")).lower()


def rows_of(entries: Iterable[ModelEntry]) -> list[ModelRow]:
    """Rows of all entries; a file that vanished counts as empty."""
    return [ModelRow(entry, sum(_size(path) for path in files_of(entry))) for entry in entries]


def files_of(entry: ModelEntry) -> list[Path]:
    """Card and files of a model."""
    named = [entry.path.parent / name for name in (entry.card.files if entry.card else ())]
    return list(dict.fromkeys([entry.path, *named]))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _status_colour(row: ModelRow, theme: Theme) -> str | None:
    return {"failed": theme.error, "loaded": theme.good}.get(row.entry.status, theme.muted)


def _metric(row: ModelRow, name: str) -> float:
    value = getattr(row.metrics, name, None)
    return float("nan") if value is None else float(value)


COLUMNS: tuple[Column, ...] = (
    Column("target", "target", lambda r: r.target),
    Column("family", "family", lambda r: FAMILIES[r.entry.family]),
    Column("status", "status", lambda r: r.entry.status, lambda r: STATUS_TEXTS[r.entry.status], "", _status_colour),
    Column(
        "mape_percent",
        "MAPE (%)",
        lambda r: _metric(r, "mape"),
        tip="Mean absolute error in percent on shapes the model was not trained on",
        numeric=True,
    ),
    Column("version", "version", lambda r: r.entry.version),
    Column(
        "time_kind",
        "kind of time",
        lambda r: r.entry.target.time_kind if r.entry.target else "",
        lambda r: KIND_TEXTS[r.entry.target.time_kind] if r.entry.target else "",
    ),
    Column("size_bytes", "size (kB)", lambda r: r.size, lambda r: f"{max(r.size / 1e3, 0.1):,.0f}", numeric=True),
    Column(
        "origin",
        "origin",
        lambda r: r.entry.origin,
        tip="bundled with the program, the user's own, or imported from a native file",
    ),
    Column("reason", "reason", lambda r: r.entry.reason, tip="Why it cannot be used and what to do"),
    Column("name", "name", lambda r: r.entry.name, hidden=True),
    Column(
        "median_ape_percent", "median (%)", lambda r: _metric(r, "median_ape"), hidden=True, numeric=True, tip="Median error"
    ),
    Column(
        "coverage_90_percent",
        "coverage (%)",
        lambda r: _metric(r, "coverage_90"),
        hidden=True,
        numeric=True,
        tip="How many measured times lay in the 90 % interval",
    ),
    Column("load_ms", "load (ms)", lambda r: r.entry.load_ms, hidden=True, numeric=True),
    Column("path", "file", lambda r: str(r.entry.path), hidden=True),
)


@dataclass(frozen=True)
class ProtocolRow:
    """Accuracy of one model under one protocol."""

    protocol: str
    metrics: Metrics


def protocol_rows(card: ModelCard | None) -> list[ProtocolRow]:
    """One row per protocol of a card, then one per algorithm and element type on shapes never seen."""
    if card is None:
        return []
    rows = [ProtocolRow(name, metrics) for name, metrics in card.metrics.items()]
    return rows + [ProtocolRow(f"{GROUPED}, {name}", metrics) for name, metrics in card.metrics_by_group.items()]


def protocol_text(protocol: str) -> str:
    """A protocol in words, with the group if it is of one: ``shapes never seen, any/fp16``."""
    name, comma, group = protocol.partition(", ")
    return PROTOCOLS.get(name, name.replace("_", " ")) + comma + group


def _number(name: str, title: str, tip: str) -> Column:
    def value(row: ProtocolRow) -> Cell:
        found = getattr(row.metrics, name)
        return float("nan") if found is None else found

    return Column(name, title, value, tip=tip, numeric=True)


METRIC_COLUMNS: tuple[Column, ...] = (
    Column(
        "protocol",
        "tested on",
        lambda r: r.protocol,
        lambda r: protocol_text(r.protocol),
        "What the model had not seen when it was tested; five random folds are the easiest test",
    ),
    _number("n", "rows", "Measurements predicted"),
    _number("mape", "MAPE (%)", "Mean absolute error in percent of the measured time"),
    _number("median_ape", "median (%)", "Half of the predictions err less"),
    _number("within_10", "within 10 %", "Share of predictions in percent that err by at most 10 %"),
    _number("within_20", "within 20 %", "Share of predictions in percent that err by at most 20 %"),
    _number("coverage_90", "coverage (%)", "Share of measured times inside the 90 % interval"),
    _number("interval_width", "width (%)", "Width of the 90 % interval, relative to the prediction"),
    _number("rmse", "RMSE (ms)", "Root of the mean squared error"),
    _number("r2_log", "R² (log)", "Coefficient of determination of the logarithm of the time"),
)


def _short_folder(entry: ModelEntry) -> str:
    """The entry's folder; of bundled models only what lies below the program."""
    program = bundled_models_dir().parent
    return entry.folder.relative_to(program).as_posix() if entry.folder.is_relative_to(program) else str(entry.folder)


def card_facts(entry: ModelEntry) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sections of an entry's card: title and (name, text) pairs; without a card only what the file system tells."""
    first = [
        ("Name", entry.name),
        ("Family", FAMILIES[entry.family]),
        ("Version", entry.version or "not told"),
        ("Status", STATUS_TEXTS[entry.status] + (f": {entry.reason}" if entry.reason else "")),
        ("Origin", f"{entry.origin}, {_short_folder(entry)}"),
    ]
    if entry.load_ms:
        first.append(("Loaded in", f"{sig3(entry.load_ms)} ms"))
    sections = [("Model", first)]
    if entry.card is not None:
        sections += _sections(entry.card)
    return [(title, rows) for title, rows in sections if rows]


def _sections(card: ModelCard) -> list[tuple[str, list[tuple[str, str]]]]:
    target, device, source = card.target, card.device, card.provenance
    return [
        (
            "Target",
            [
                ("Target", f"{target.title} ({target.name})"),
                ("Kind of time", f"{KIND_TEXTS[target.time_kind]}: {TIME_KINDS[target.time_kind]}"),
                ("Framework", target.framework),
                ("Device", device.name),
                ("Peak FP32 / FP16", f"{sig3(device.fp32_tflops)} / {sig3(device.fp16_tflops)} TFLOP/s"),
                ("Memory bandwidth", f"{sig3(device.memory_bandwidth_gbs)} GB/s"),
                ("Element types", ", ".join(card.dtypes)),
                ("Directions", ", ".join(name.replace("_", " ") for name in card.directions)),
                ("Algorithms", ", ".join(card.algorithms) + f" (usual: {card.default_algorithm})"),
            ],
        ),
        ("Trained on", _range_rows(card)),
        ("Interval", _interval_rows(card)),
        (
            "Origin of the data",
            [
                ("Source", source.source),
                ("Licence", source.licence),
                ("Rows", f"{source.rows:,} measurements of {source.shapes:,} shapes"),
                *([("SHA-256", source.data_sha256)] if source.data_sha256 else []),
                *([("Note", source.note)] if source.note else []),
            ],
        ),
        ("Features", [("In order", ", ".join(card.features))] if card.features else []),
        ("Weights of the consensus", [(FAMILIES[name], percent(100 * weight)) for name, weight in card.weights.items()]),
        ("Hyperparameters", [(name, str(value)) for name, value in card.hyperparameters.items()]),
        ("Libraries", [*card.library_versions.items(), ("Seed", str(card.seed)), ("Made", card.created or "not told")]),
        ("Files and SHA-256", list(card.files.items())),
        ("Imported from", [("Native file", card.imported_from)] if card.imported_from else []),
        ("Notes", [(str(number), note) for number, note in enumerate(card.notes, 1)]),
    ]


def _range_rows(card: ModelCard) -> list[tuple[str, str]]:
    rows = [(name.replace("_", " "), f"{_plain(r.low)} to {_plain(r.high)}") for name, r in card.ranges.items()]
    return rows + [(name.replace("_", " "), ", ".join(map(str, seen))) for name, seen in card.values_seen.items()]


def _interval_rows(card: ModelCard) -> list[tuple[str, str]]:
    rows = []
    metrics = card.metrics.get(GROUPED)
    if metrics is not None and metrics.coverage_90 is not None:
        rows.append(("Coverage of the 90 % interval", f"{percent(metrics.coverage_90)} on shapes never seen"))
    if metrics is not None and metrics.interval_width is not None:
        rows.append(("Width", f"{percent(metrics.interval_width)} of the prediction"))
    if card.interval is not None:
        rows.append(("Adapts to", ", ".join([*card.interval.group_by, "size of the time"])))
    return rows


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e7 and value == int(value) else f"{value:.3g}"


def card_html(entry: ModelEntry, theme: Theme) -> str:
    """The card as a page for a text browser."""
    parts = [f"<h3>{html.escape(FAMILIES[entry.family])} · {html.escape(_title(entry))}</h3>"]
    if entry.status == "failed":
        parts.append(f'<p style="color:{theme.error}"><b>This model failed:</b> {html.escape(entry.reason)}</p>')
    for title, rows in card_facts(entry):
        parts.append(f'<h4 style="margin-bottom:2px">{html.escape(title)}</h4><table cellspacing="0" cellpadding="2">')
        for name, text in rows:
            cells = f'<td style="color:{theme.muted}; padding-right:12px">{html.escape(name)}</td>'
            parts.append(f"<tr>{cells}<td>{html.escape(_breakable(text))}</td></tr>")
        parts.append("</table>")
    return "".join(parts)


def _title(entry: ModelEntry) -> str:
    return entry.target.title if entry.target else entry.folder.name


def _breakable(text: str) -> str:
    """Long hashes and names may break: a zero-width space after every 16 characters of a word without one."""
    words = [
        word if len(word) < 40 else "\u200b".join(word[i : i + 16] for i in range(0, len(word), 16)) for word in text.split(" ")
    ]
    return " ".join(words)


def side_by_side(entries: Sequence[ModelEntry]) -> list[tuple[str, ...]]:
    """Properties of several models: each row is the property and one text per model; equal ones come after differing ones."""
    tables = []
    for entry in entries:
        facts = {f"{title}: {name}": text for title, rows in card_facts(entry) for name, text in rows}
        for row in protocol_rows(entry.card):
            facts[f"MAPE, {protocol_text(row.protocol)}"] = percent(row.metrics.mape)
            facts[f"Median error, {protocol_text(row.protocol)}"] = percent(row.metrics.median_ape)
        tables.append(facts)
    names = list(dict.fromkeys(name for facts in tables for name in facts))
    rows = [(name, *(facts.get(name, "–") for facts in tables)) for name in names]
    return sorted(rows, key=lambda row: len(set(row[1:])) == 1)
