"""The machine's resources, watched in a thread of their own while somebody wants to see them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from cnnpredict_gui.bench.resource_log import ResourceLog

if TYPE_CHECKING:
    from cnnpredict_gui.bench.resources import Sample

#: Seconds between samples while a chart is shown or a measurement runs, and otherwise, so that the charts have no gap.
FAST_S, SLOW_S = 1.0, 5.0
#: Seconds until the first sample: loads count from the one before.
_FIRST_S = 0.25
#: Spans kept; older ones have left the charts.
_SPANS = 50


@dataclass(frozen=True)
class Span:
    """Time in which something was measured, in seconds since the epoch; ``end`` is None while it runs."""

    title: str
    start: float
    end: float | None = None


class _SamplingThread(QThread):
    sampled = Signal(object)
    ready = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("resources")
        self.interval = FAST_S
        self._wake = threading.Event()
        self._stop = False

    def set_interval(self, seconds: float) -> None:
        """Sample so often from now on."""
        if seconds != self.interval:
            self.interval = seconds
            self._wake.set()

    def close(self) -> None:
        self._stop = True
        self._wake.set()

    def run(self) -> None:
        from cnnpredict_gui.bench.resources import Sampler

        sampler = Sampler()
        self.ready.emit(sampler.gpus.problem)
        self._wake.wait(_FIRST_S)
        while not self._stop:
            self._wake.clear()
            self.sampled.emit(sampler.sample())
            self._wake.wait(self.interval)
        sampler.close()


class ResourceMonitor(QObject):
    """Samples of the last half hour and the spans of what was measured meanwhile.

    Nothing is sampled before the first :meth:`watch` or :meth:`begin`. From then on there is a sample every second while
    anybody watches or a span is open, and one every five seconds otherwise.
    """

    #: Sample
    sampled = Signal(object)
    spans_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.log = ResourceLog()
        self.spans: list[Span] = []
        #: Why there is no GPU to show; empty if there is one, or nobody knows yet.
        self.gpu_problem = ""
        self._watchers: set[str] = set()
        self._thread: _SamplingThread | None = None

    @property
    def interval_s(self) -> float:
        """Seconds between samples now; infinite while nothing is sampled."""
        return self._thread.interval if self._thread is not None else float("inf")

    def watch(self, name: str, on: bool) -> None:
        """Somebody (a name of their own) begins or ceases to look."""
        if on:
            self._watchers.add(name)
        else:
            self._watchers.discard(name)
        self._adapt()

    def begin(self, title: str) -> Span:
        """Something is being measured from now on; give the result to :meth:`end`."""
        span = Span(title, time())
        self.spans = [*self.spans[-_SPANS + 1 :], span]
        self._adapt()
        self.spans_changed.emit()
        return span

    def end(self, span: Span) -> None:
        """The measurement is over."""
        self.spans = [replace(one, end=time()) if one is span else one for one in self.spans]
        self._adapt()
        self.spans_changed.emit()

    def _adapt(self) -> None:
        wanted = bool(self._watchers) or any(span.end is None for span in self.spans)
        if self._thread is None and wanted:
            self._thread = _SamplingThread()
            self._thread.sampled.connect(self._take, Qt.ConnectionType.QueuedConnection)
            self._thread.ready.connect(self._know_gpus, Qt.ConnectionType.QueuedConnection)
            self._thread.start(QThread.Priority.LowPriority)
        elif self._thread is not None:
            self._thread.set_interval(FAST_S if wanted else SLOW_S)

    @Slot(object)
    def _take(self, sample: Sample) -> None:
        self.log.append(sample)
        self.sampled.emit(sample)

    @Slot(str)
    def _know_gpus(self, problem: str) -> None:
        self.gpu_problem = problem

    def shutdown(self) -> None:
        """Stop sampling and wait for the thread."""
        if self._thread is not None:
            self._thread.close()
            self._thread.wait()
            self._thread = None
