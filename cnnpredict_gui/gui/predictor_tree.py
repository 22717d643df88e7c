"""Choice of predictors: targets with their families, search, sets and favourites."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QSignalBlocker, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.layer_form import header_row
from cnnpredict_gui.gui.menus import pop_up
from cnnpredict_gui.gui.selection import Leaf, default_focus, default_selection, in_order, leaves, matches
from cnnpredict_gui.gui.symbols import draw_symbol
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, GRID, Theme, set_role

KIND_SHORT = {"kernel": "kernel", "call_with_host_copies": "call + copies", "framework_wall_clock": "wall clock"}
_NAME = Qt.ItemDataRole.UserRole


class PredictorTree(QWidget):
    """Shows the library as target > family with check boxes, and keeps ``state.selection`` and the boxes in step."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context, self._state = context, context.state
        self.shown: list[Leaf] = []
        self._items: dict[str, QTreeWidgetItem] = {}
        #: How each predictor is shown, so that only what changed is touched.
        self._looks: dict[str, tuple[object, ...]] = {}
        self.search = QLineEdit()
        self.tree = QTreeWidget()
        self.count = QLabel()
        self.favourites = QToolButton()
        self.sets = QToolButton()
        self._build()
        self._refill = QTimer(self)
        self._refill.setSingleShot(True)
        self._refill.setInterval(60)
        self._refill.timeout.connect(self.fill)
        context.models.scanned.connect(self.fill)
        for signal in (context.models.progressed, context.models.finished):
            signal.connect(self._fill_soon)
        self._state.selection_changed.connect(self._show_selection)
        self._state.favourites_changed.connect(self.fill)
        context.theme.follow(self.fill)
        self._add_actions()
        self.fill()

    def _build(self) -> None:
        self.search.setPlaceholderText("Search device, framework, family")
        self.search.setAccessibleName("Search predictors")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.favourites.setText("★")
        self.favourites.setCheckable(True)
        self.favourites.setAccessibleName("Show favourites only")
        self.favourites.setToolTip("Show favourites only")
        self.favourites.toggled.connect(self._filter)
        self.sets.setText("Choose")
        self.sets.setAccessibleName("Choose a set of predictors")
        self.sets.setToolTip("Choose a set of predictors")
        self.sets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.sets)
        menu.aboutToShow.connect(lambda: self._fill_sets(menu))
        self.sets.setMenu(menu)
        self.tree.setAccessibleName("Predictors")
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(2 * GRID)
        self.tree.setIconSize(QSize(14, 14))
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.itemChanged.connect(self._checked)
        self.tree.itemClicked.connect(self._clicked)
        self.tree.currentItemChanged.connect(lambda item, _old: self._focus(item))
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._menu)
        set_role(self.count, "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(header_row(self.search, self.favourites, self.sets))
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.count)

    def _add_actions(self) -> None:
        add = self._context.actions.add
        add(
            "models.search",
            "Models",
            "&Find predictor",
            self._start_search,
            "Ctrl+F",
            "Search in the list of predictors",
            group="choose",
        )
        add("models.default", "Models", "Choose the usual predictors", self.choose_default, group="choose")
        add("models.none", "Models", "Choose no predictor", lambda: self._state.select([]), group="choose")
        for family, title in FAMILIES.items():
            add(
                f"models.all_{family}",
                "Models",
                f"{title} everywhere",
                lambda f=family: self.choose_family(f),
                group="families",
            )

    def _fill_soon(self) -> None:
        if not self._refill.isActive():
            self._refill.start()

    def _start_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    # -- filling ------------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Show the library as it is now; keeps what is unfolded, and chooses the usual set while the user has not chosen."""
        self.shown = leaves(self._context.models.entries)
        if not self._state.selection_is_users:
            self._choose_at_first()
        open_ = {self._top(i).data(0, _NAME) for i in range(self.tree.topLevelItemCount()) if self._top(i).isExpanded()}
        if self._structure() != list(self._items):
            self._rebuild(open_)
        muted = QColor(self._context.theme.current.muted)
        icons = {family: family_icon(family, self._context.theme.current) for family in FAMILIES}
        with QSignalBlocker(self.tree):
            for index in range(self.tree.topLevelItemCount()):
                self._top(index).setForeground(1, muted)
            for leaf in self.shown:
                self._dress(self._items[leaf.name], leaf, icons[leaf.family])
        self._show_selection(self._state.selection)
        self._filter()

    def _choose_at_first(self) -> None:
        names = default_selection(self.shown, self._context.models.processor)
        self._state.select(names, by_user=False)
        first = default_focus(self.shown, names)
        if not self._state.baseline:
            self._state.set_baseline(first)
        if not self._state.focus:
            self._state.set_focus(first)

    def _structure(self) -> list[str]:
        return [leaf.name for leaf in self.shown]

    def _top(self, index: int) -> QTreeWidgetItem:
        item = self.tree.topLevelItem(index)
        if item is None:
            raise IndexError(index)
        return item

    def _rebuild(self, unfolded: set[str]) -> None:
        blocker = QSignalBlocker(self.tree)
        self.tree.clear()
        self._items, self._looks = {}, {}
        tops: dict[str, QTreeWidgetItem] = {}
        children: dict[str, list[QTreeWidgetItem]] = {leaf.target.name: [] for leaf in self.shown}
        first = next((leaf.target.name for leaf in self.shown if leaf.name == self._state.focus), "")
        for leaf in self.shown:
            if leaf.target.name not in tops:
                top = tops[leaf.target.name] = QTreeWidgetItem([leaf.target.title, KIND_SHORT[leaf.target.time_kind]])
                top.setData(0, _NAME, leaf.target.name)
                top.setFlags(top.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsAutoTristate)
                top.setToolTip(0, f"{leaf.target.title}: {TIME_KINDS[leaf.target.time_kind]}")
                top.setToolTip(1, TIME_KINDS[leaf.target.time_kind])
            self._items[leaf.name] = QTreeWidgetItem()
            children[leaf.target.name].append(self._items[leaf.name])
        for name, top in tops.items():
            top.addChildren(children[name])
        self.tree.addTopLevelItems(list(tops.values()))
        for name, top in tops.items():
            top.setExpanded(name in unfolded or (not unfolded and name == first))
            if top.isExpanded() and not unfolded:
                self.tree.scrollToItem(top, QTreeWidget.ScrollHint.PositionAtTop)
        blocker.unblock()

    def _dress(self, item: QTreeWidgetItem, leaf: Leaf, icon: QIcon) -> None:
        theme = self._context.theme.current
        starred = leaf.name in self._state.favourites
        look = (leaf, starred, theme.name)
        if self._looks.get(leaf.name) == look:
            return
        self._looks[leaf.name] = look
        item.setText(0, " · ".join(part for part in (FAMILIES[leaf.family], leaf.variant) if part))
        item.setIcon(0, icon)
        item.setData(0, _NAME, leaf.name)
        item.setText(1, "★" if starred else "☆")
        item.setForeground(1, QColor(theme.accent if starred else theme.muted))
        item.setToolTip(1, "Favourite: click to change")
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight)
        usable = leaf.status != "failed"
        item.setDisabled(not usable)
        status = {"loaded": "ready", "found": "loading…", "waiting": "importing…", "failed": f"failed: {leaf.reason}"}[
            leaf.status
        ]
        item.setToolTip(0, f"{leaf.name}: {status}")

    def _show_selection(self, names: tuple[str, ...]) -> None:
        chosen = set(names)
        with QSignalBlocker(self.tree):
            for name, item in self._items.items():
                wanted = Qt.CheckState.Checked if name in chosen else Qt.CheckState.Unchecked
                if item.checkState(0) != wanted or item.data(0, Qt.ItemDataRole.CheckStateRole) is None:
                    item.setCheckState(0, wanted)
        self.count.setText(f"{len(chosen & set(self._items))} of {len(self._items)} predictors chosen")

    def _filter(self) -> None:
        text, starred = self.search.text(), self.favourites.isChecked()
        known = {leaf.name: leaf for leaf in self.shown}
        for index in range(self.tree.topLevelItemCount()):
            top, visible = self._top(index), 0
            for number in range(top.childCount()):
                child = top.child(number)
                leaf = known[child.data(0, _NAME)]
                hidden = not matches(leaf, text) or (starred and leaf.name not in self._state.favourites)
                if child.isHidden() != hidden:
                    child.setHidden(hidden)
                visible += not hidden
            if top.isHidden() != (visible == 0):
                top.setHidden(visible == 0)
            if text.strip() or starred:
                top.setExpanded(visible > 0)

    # -- the user -----------------------------------------------------------------------------------------------------

    def _checked(self, _item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            QTimer.singleShot(0, self._take_boxes)

    def _take_boxes(self) -> None:
        """Choose what is checked; what the search hides stays as it was, though its target's box may have changed it."""
        before = self._state.selection
        missing = [name for name in before if name not in self._items]
        boxes = [
            name
            for name, item in self._items.items()
            if (name in before if item.isHidden() else item.checkState(0) == Qt.CheckState.Checked)
        ]
        self._state.select(in_order(self.shown, [*boxes, *missing]))
        self._show_selection(self._state.selection)

    def _clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 1 and item.parent() is not None:
            name = item.data(0, _NAME)
            self._state.set_favourite(name, name not in self._state.favourites)

    def _focus(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and item.parent() is not None:
            self._state.set_focus(item.data(0, _NAME))

    def choose_default(self) -> None:
        """Choose what the program chooses at first."""
        self._state.select(default_selection(self.shown, self._context.models.processor))

    def choose_target(self, target: str, only: bool = False) -> None:
        """Choose all families of a target, in addition or alone."""
        mine = [leaf.name for leaf in self.shown if leaf.target.name == target and leaf.status != "failed"]
        self._state.select(in_order(self.shown, mine if only else [*self._state.selection, *mine]))

    def choose_family(self, family: str) -> None:
        """Choose one family of every target, alone."""
        self._state.select([leaf.name for leaf in self.shown if leaf.family == family and leaf.status != "failed"])

    def choose_favourites(self) -> None:
        """Choose the favourites, alone."""
        self._state.select(in_order(self.shown, self._state.favourites))

    def _fill_sets(self, menu: QMenu) -> None:
        menu.clear()
        menu.addAction("The usual ones", self.choose_default)
        menu.addAction("Favourites", self.choose_favourites).setEnabled(bool(self._state.favourites))
        menu.addAction("All", lambda: self._state.select([leaf.name for leaf in self.shown if leaf.status != "failed"]))
        menu.addAction("None", lambda: self._state.select([]))
        menu.addSeparator()
        for family, title in FAMILIES.items():
            menu.addAction(f"{title} everywhere", lambda f=family: self.choose_family(f))

    def _menu(self, position: QPoint) -> None:
        item = self.tree.itemAt(position)
        if item is not None:
            pop_up(self.item_menu(item), self.tree.viewport().mapToGlobal(position))

    def item_menu(self, item: QTreeWidgetItem) -> QMenu:
        """Commands for a target or a predictor."""
        menu = QMenu(self)
        top = item.parent() or item
        target = top.data(0, _NAME)
        menu.addAction("All of this target", lambda: self.choose_target(target))
        menu.addAction("Only this target", lambda: self.choose_target(target, only=True))
        if item.parent() is not None:
            leaf = next(leaf for leaf in self.shown if leaf.name == item.data(0, _NAME))
            menu.addAction("This family everywhere", lambda: self.choose_family(leaf.family))
            menu.addSeparator()
            menu.addAction("Use as baseline", lambda: self._state.set_baseline(leaf.name))
            starred = leaf.name in self._state.favourites
            text = "Remove from favourites" if starred else "Add to favourites"
            menu.addAction(text, lambda: self._state.set_favourite(leaf.name, not starred))
        return menu


def family_icon(family: str, theme: Theme) -> QIcon:
    """The family's symbol in its colour."""
    picture = QPixmap(28, 28)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_symbol(painter, QPointF(7, 7), FAMILY_SYMBOLS[family], 10, QColor(theme.family(family)), QColor(theme.base))
    painter.end()
    return QIcon(picture)
