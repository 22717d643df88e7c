"""The health of the program in a few lines."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.format import sig3
from cnnpredict_gui.gui.theme import set_role

if TYPE_CHECKING:
    from cnnpredict_gui.bench.health import Health
    from cnnpredict_gui.bench.resources import Sample

CHANNEL = "health"
#: Seconds between looks.
_EVERY_S = 5.0
#: Reasons shown; the rest is counted.
_REASONS = 3
_ROLES = {"healthy": "good", "degraded": "warning", "unhealthy": "error"}


class HealthPanel(QWidget):
    """Status with its reasons, models, predictions, errors, latency and uptime."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self.state: Health | None = None
        self.status, self.figures, self.reasons = QLabel(), QLabel(), QLabel()
        for label, name in ((self.status, "Health"), (self.figures, "Figures of the program"), (self.reasons, "Reasons")):
            label.setAccessibleName(name)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self.reasons, "warning")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for label in (self.status, self.figures, self.reasons):
            layout.addWidget(label)
        self._looked = float("-inf")
        self._load = float("nan")
        context.models.finished.connect(self._on_models)
        context.theme.changed.connect(self._recolour)

    def take(self, sample: Sample) -> None:
        """Look again, not oftener than every few seconds, with what the sample says of the machine."""
        self._load = sample.cpu_percent
        if monotonic() - self._looked >= _EVERY_S:
            self.refresh()

    def _on_models(self) -> None:
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Look now, in the background; models that are still being loaded say nothing about health."""
        self._looked = monotonic()
        if self.context.models.loading or self.context.models.library is None:
            self.status.setText("Models are being loaded…")
            return
        entries, load = list(self.context.models.entries), self._load

        def work(_cancelled: object) -> Health:
            from cnnpredict_gui.bench.health import health, system_figures

            return health(entries, system_figures(load))

        self.context.predictions.submit(CHANNEL, work, self.show_state, self.context.report)

    def show_state(self, state: Health) -> None:
        """Show this state."""
        from cnnpredict_gui.bench.health import MEANINGS

        self.state = state
        self.status.setToolTip("\n".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items()))
        median = "" if state.median_ms is None else f", median {sig3(state.median_ms)} ms a call"
        self.figures.setText(
            f"{state.models_loaded:,} models loaded, {state.models_failed:,} failed · {state.predictions:,} predictions, "
            f"{state.errors:,} errors{median} · up {uptime(state.uptime_s)}"
        )
        self.figures.setToolTip("Predictions count layers, once per predictor, since the program was started.")
        more = len(state.reasons) - _REASONS
        lines = [*state.reasons[:_REASONS], *([f"and {more:,} more; see Models"] if more > 0 else [])]
        self.reasons.setText("\n".join(lines))
        self.reasons.setVisible(bool(lines))
        self._recolour()

    def _recolour(self) -> None:
        if self.state is not None:
            colour = getattr(self.context.theme.current, _ROLES[self.state.status])
            self.status.setText(f'<b style="color:{colour}">{self.state.status.capitalize()}</b>')


def uptime(seconds: float) -> str:
    """A time for people: ``42 s``, ``3 min``, ``2 h 5 min``, ``3 d 4 h``."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
