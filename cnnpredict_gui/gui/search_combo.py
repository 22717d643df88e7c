"""A list to choose from that finds what is typed: fuzzy, best first, and never left with a text that is no item."""

from __future__ import annotations

from PySide6.QtCore import QStringListModel
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit

from cnnpredict_gui.gui.boxes import ChoiceBox
from cnnpredict_gui.gui.fuzzy import fuzzy_score

_POPUP_PX = 400
_ROWS = 24


class SearchCombo(ChoiceBox):
    """Enter takes the best match; leaving the box brings back the item that is chosen.

    Args:
        name: Accessible name.
        tip: Tooltip.
        hint: Shown while nothing is chosen.
        letters: Width to ask for, in letters.
    """

    def __init__(self, name: str, tip: str, hint: str = "", letters: int = 12) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(letters)
        self.setMaxVisibleItems(_ROWS)
        self._found = QStringListModel(self)
        completer = QCompleter(self._found, self)
        completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        completer.setMaxVisibleItems(_ROWS)
        for popup in (self.view(), completer.popup()):
            if popup is not None:
                popup.setMinimumWidth(_POPUP_PX)
        self.setCompleter(completer)
        line = self.line()
        line.setPlaceholderText(hint)
        line.textEdited.connect(lambda text: self._found.setStringList(self.matches(text)))
        line.returnPressed.connect(self._take_best)
        line.editingFinished.connect(self._settle)

    def line(self) -> QLineEdit:
        """Where is typed."""
        line = self.lineEdit()
        if line is None:
            raise RuntimeError("the box is not editable")
        return line

    def matches(self, text: str) -> list[str]:
        """Items that answer a text, best first."""
        texts = [self.itemText(index) for index in range(self.count()) if self.itemText(index)]
        scores = {one: score for one in texts if (score := fuzzy_score(text, one)) is not None}
        return sorted(scores, key=lambda one: -scores[one])

    def _take_best(self) -> None:
        text = self.currentText()
        if self.findText(text) < 0 and (found := self.matches(text)) and text.strip():
            index = self.findText(found[0])
            self.setCurrentIndex(index)
            self.activated.emit(index)

    def _settle(self) -> None:
        chosen = self.itemText(self.currentIndex())
        if self.currentText() != chosen:
            self.setEditText(chosen)
        self.line().setCursorPosition(0)
