"""The one observable state of the application; views read it, ask it to change, and listen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError, DataFileError
from cnnpredict_gui.gui.turns import Steps, finished

#: A layer most people know: ResNet-50 layer2.0.conv2 at 224 pixels.
DEFAULT_CONFIG = ConvConfig.parse(
    {"input_channels": 128, "input_height": 56, "input_width": 56, "output_channels": 128, "kernel_size": 3, "stride": 2}
)
STATE_FORMAT = 1


@dataclass(frozen=True)
class Pinned:
    """A configuration kept for comparison, with a short name such as ``A``."""

    name: str
    config: ConvConfig


class _SetConfig(QUndoCommand):
    """One change of the configuration; changes of the same field in a row become one step."""

    def __init__(self, state: AppState, config: ConvConfig, text: str, merge: str) -> None:
        super().__init__(text)
        self._state = state
        self.before, self.after = state.config, config
        self.merge = merge

    def redo(self) -> None:
        self._state._apply(self.after)

    def undo(self) -> None:
        self._state._apply(self.before)


class AppState(QObject):
    """Current configuration, chosen predictors, baseline, pins and favourites, with one signal for each.

    ``selection`` keeps the order of the models library. Nothing here knows widgets or threads.
    """

    config_changed = Signal(object)
    selection_changed = Signal(object)
    baseline_changed = Signal(str)
    focus_changed = Signal(str)
    pinned_changed = Signal(object)
    favourites_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(200)
        self._config = DEFAULT_CONFIG
        self._selection: tuple[str, ...] = ()
        self._baseline = ""
        self._focus = ""
        self._pinned: tuple[Pinned, ...] = ()
        self._favourites: frozenset[str] = frozenset()
        #: Whether the user (or a restored session) has chosen predictors; until then the default selection may grow.
        self.selection_is_users = False
        #: Free space of each view, saved with the session: view name to a JSON object.
        self.views: dict[str, dict[str, Any]] = {}

    @property
    def config(self) -> ConvConfig:
        """The configuration everything predicts for."""
        return self._config

    def set_config(self, config: ConvConfig, text: str = "Change layer", merge: str = "") -> None:
        """Change the configuration as one undo step; steps with the same non-empty ``merge`` in a row become one."""
        if config == self._config:
            return
        last = self._last_step()
        if last is None or not merge or last.merge != merge:
            self.undo_stack.push(_SetConfig(self, config, text, merge))
        elif config == last.before:
            last.setObsolete(True)
            self.undo_stack.undo()  # takes the step away, no more
            self._apply(config)
        else:
            last.after = config
            self._apply(config)

    def _last_step(self) -> _SetConfig | None:
        """The step that a change may be merged into. Not by Qt's ``mergeWith``: PySide never frees what was merged."""
        stack = self.undo_stack
        last = stack.command(stack.count() - 1) if 0 < stack.index() == stack.count() else None
        return last if isinstance(last, _SetConfig) else None

    def _apply(self, config: ConvConfig) -> None:
        self._config = config
        self.config_changed.emit(config)

    @property
    def selection(self) -> tuple[str, ...]:
        """Names of the chosen predictors."""
        return self._selection

    def select(self, names: Iterable[str], by_user: bool = True) -> None:
        """Choose these predictors, and only these."""
        chosen = tuple(dict.fromkeys(names))
        self.selection_is_users = self.selection_is_users or by_user
        if chosen != self._selection:
            self._selection = chosen
            self.selection_changed.emit(chosen)

    @property
    def baseline(self) -> str:
        """Name of the predictor others are compared to; empty means the first chosen one."""
        return self._baseline

    def set_baseline(self, name: str) -> None:
        """Compare everything to this predictor; empty for the first chosen one."""
        if name != self._baseline:
            self._baseline = name
            self.baseline_changed.emit(name)

    @property
    def focus(self) -> str:
        """Name of the predictor looked at in detail (gauge, algorithms); may be empty."""
        return self._focus

    def set_focus(self, name: str) -> None:
        """Look at this predictor in detail."""
        if name != self._focus:
            self._focus = name
            self.focus_changed.emit(name)

    @property
    def pinned(self) -> tuple[Pinned, ...]:
        """Configurations pinned for side-by-side comparison."""
        return self._pinned

    def pin(self, config: ConvConfig | None = None, name: str = "") -> Pinned:
        """Pin a configuration (the current one by default); a name is made up when none is given."""
        taken = {pin.name for pin in self._pinned}
        letters = (chr(ord("A") + i % 26) * (i // 26 + 1) for i in range(26 * 8))
        pin = Pinned(name or next(letter for letter in letters if letter not in taken), config or self._config)
        self._set_pinned((*self._pinned, pin))
        return pin

    def unpin(self, name: str) -> None:
        """Remove a pinned configuration."""
        self._set_pinned(tuple(pin for pin in self._pinned if pin.name != name))

    def clear_pinned(self) -> None:
        """Remove all pinned configurations."""
        self._set_pinned(())

    def _set_pinned(self, pinned: tuple[Pinned, ...]) -> None:
        if pinned != self._pinned:
            self._pinned = pinned
            self.pinned_changed.emit(pinned)

    @property
    def favourites(self) -> frozenset[str]:
        """Names of favourite predictors."""
        return self._favourites

    def set_favourite(self, name: str, on: bool) -> None:
        """Mark or unmark a favourite."""
        changed = self._favourites | {name} if on else self._favourites - {name}
        if changed != self._favourites:
            self._favourites = changed
            self.favourites_changed.emit(changed)

    def to_json(self) -> dict[str, Any]:
        """Everything worth keeping, as plain JSON values."""
        return {
            "format": STATE_FORMAT,
            "config": self._config.compact(),
            "selection": list(self._selection),
            "baseline": self._baseline,
            "focus": self._focus,
            "pinned": [{"name": pin.name, "config": pin.config.compact()} for pin in self._pinned],
            "favourites": sorted(self._favourites),
            "views": self.views,
        }

    def from_json(self, data: dict[str, Any]) -> None:
        """Take over a saved state; the undo history starts anew.

        Raises:
            DataFileError: the state is of another format or malformed; nothing was changed.
        """
        finished(self.taking_over(data))

    def taking_over(self, data: dict[str, Any]) -> Steps[None]:
        """The same in steps: everybody hears of the layer first, then of the predictors, of the rest at the end.

        Raises:
            DataFileError: in the first step; nothing was changed.
        """
        if not isinstance(data, dict) or data.get("format") != STATE_FORMAT:
            raise DataFileError("this session is of an unknown format", "save it again with this version")
        try:
            config = ConvConfig.parse(dict(data.get("config", DEFAULT_CONFIG.compact())))
            pinned = tuple(Pinned(str(pin["name"]), ConvConfig.parse(pin["config"])) for pin in data.get("pinned", []))
            names = [str(name) for name in data.get("selection", [])]
            favourites = frozenset(str(name) for name in data.get("favourites", []))
            views = {str(name): dict(value) for name, value in data.get("views", {}).items()}
        except (ConfigError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataFileError(f"this session cannot be read: {error}", "choose another file") from error
        self.views = views
        self._apply(config)
        self.undo_stack.clear()
        yield
        if names:
            self.select(names)
        yield
        self.set_baseline(str(data.get("baseline", "")))
        self.set_focus(str(data.get("focus", "")))
        self._set_pinned(pinned)
        if favourites != self._favourites:
            self._favourites = favourites
            self.favourites_changed.emit(favourites)
