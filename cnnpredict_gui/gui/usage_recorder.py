"""Counts what is looked at for a moment: predictors, layers and networks. Nothing leaves this computer."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, QTimer

from cnnpredict_gui.core.errors import OutputError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.infra.usage import UsageCounts

#: A layer counts as used when it stays for this long.
SETTLED_MS = 2_000
logger = logging.getLogger(__name__)


class UsageRecorder(QObject):
    """Listens to the state and counts; does nothing while the user does not want it."""

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.counts = UsageCounts()
        self._network = ""
        self._last: tuple[object, object] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED_MS)
        self._timer.timeout.connect(self.count)
        context.state.config_changed.connect(self._soon)
        context.state.selection_changed.connect(self._soon)

    def _soon(self) -> None:
        if self._context.preferences.current.count_usage and self._context.preferences.kept:
            self._timer.start()

    def count(self) -> None:
        """Count the layer, the chosen predictors and the network as they are now."""
        state = self._context.state
        now = (state.config, state.selection)
        if now == self._last:
            return
        if self._last is None or self._last[0] != state.config:
            self.counts.count("layers", [state.config.label()])
        self.counts.count("models", [name for name in state.selection if name in self._context.models.predictors])
        network = str(state.views.get("architecture", {}).get("network", "")).partition(":")[2]
        if network != self._network:
            self.counts.count("networks", [network])
        self._last, self._network = now, network

    def save(self) -> None:
        """Write the counts; a failure is only logged."""
        if not self._context.preferences.kept:
            return
        try:
            self.counts.save()
        except OutputError as error:
            logger.warning("usage statistics were not kept: %s", error)
