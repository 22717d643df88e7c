"""Requests that keep up with a parameter being dragged, also where an answer takes longer than the next change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.workers import Cancelled, LatestWins

#: A request that has run longer than this many seconds makes way for a newer one; quicker ones are shown first.
_PATIENCE = 0.4

Work = Callable[[Cancelled], Any]


class LiveRequests(QObject):
    """One channel of :class:`LatestWins` on which a running request is let finish, so that the screen moves with every drag.

    Args:
        predictions: Where the work is done.
        channel: The channel's name.
        done: Called on the GUI thread with each answer; a method of a widget.
        failed: Called on the GUI thread with each error; a method of a widget.
        parent: Owner.
    """

    def __init__(
        self,
        predictions: LatestWins,
        channel: str,
        done: Callable[[Any], None],
        failed: Callable[[CnnPredictError], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._predictions, self._channel = predictions, channel
        self._done, self._failed = done, failed
        self._waiting: Work | None = None
        self._begun = 0.0

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._waiting is not None or self._predictions.busy(self._channel)

    def submit(self, work: Work) -> None:
        """Answer this as soon as possible; of several that wait only the newest is kept."""
        if self._predictions.busy(self._channel) and time.perf_counter() - self._begun < _PATIENCE:
            self._waiting = work
            return
        self._begun, self._waiting = time.perf_counter(), None
        self._predictions.submit(self._channel, work, self._answered, self._broke)

    def cancel(self) -> None:
        """Forget everything that was asked."""
        self._waiting = None
        self._predictions.cancel(self._channel)

    def _answered(self, result: Any) -> None:
        self._go_on()
        self._done(result)

    def _broke(self, error: CnnPredictError) -> None:
        self._go_on()
        self._failed(error)

    def _go_on(self) -> None:
        work, self._waiting = self._waiting, None
        if work is not None:
            self.submit(work)
