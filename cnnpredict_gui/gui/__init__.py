"""The desktop application: the only package that imports PySide6 and pyqtgraph. Widgets hold no arithmetic.

How the pieces fit
------------------
``app.run(argv)`` shows :class:`main_window.MainWindow` first; ``startup.Startup`` then imports the heavy modules in a
thread and fills the window. Every widget gets one :class:`context.AppContext`:

- ``context.state`` (:class:`state.AppState`): configuration, chosen predictors, baseline, focus, pins, favourites. Read the
  properties, call the ``set_...`` methods, listen to the signals. Undo is ``state.undo_stack``.
- ``context.models`` (:class:`models.ModelHub`): ``entries``, loaded ``predictors``, signals while they load.
- ``context.predictions`` (:class:`workers.LatestWins`): ``submit(channel, work, done, failed)`` for anything that must be fast;
  the newest request of a channel wins. ``work(cancelled)`` runs in a thread: it must not touch widgets or the state, so take
  what it needs (configuration, predictors) into local variables before.
- ``context.tasks`` (:class:`workers.TaskRunner`): ``run(title, work)`` gives a :class:`workers.Task` with progress and Cancel.
- ``context.theme`` (:class:`theme.ThemeManager`): ``current`` colours, ``changed`` signal.
- ``context.actions`` (:class:`actions.Actions`): the menus and the command palette; add actions with unique names.
- ``context.report(error)``, ``context.say(text)``, ``context.show_view(name)``.

Connect signals of the context to bound methods of your widget, never to lambdas: Qt drops a method's connection together with
its widget, a lambda would be called after the widget is gone.

A view is a :class:`view.View` with one line in :data:`views.VIEWS`. Charts derive from :class:`charts.ChartView`, tables are
:class:`tables.TableView`; both are :class:`export.Exportable`, which gives copy, PNG, SVG and CSV for free. Text of numbers
comes from :mod:`format`. Every control needs an accessible name (its text counts), a tooltip where the text does not say it
all, and layouts on the 8-pixel grid (:data:`theme.GRID`).

Tests: fixtures ``context`` (tiny real models, loaded) and ``bare_context`` in ``tests/gui/conftest.py``; every widget's test
class derives from ``tests/gui/contract.py:WidgetContract`` and gets the common tests for free.
"""
