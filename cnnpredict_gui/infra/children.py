"""Command lines of child processes, the same for an installed and a frozen program."""

from __future__ import annotations

import runpy
import sys

#: First argument of a frozen program that shall run one of :data:`CHILD_MODULES` instead of itself.
CHILD_FLAG = "--run-child"
#: Modules that may be run as children.
CHILD_MODULES = ("cnnpredict_gui.training.tree_worker",)


def child_command(module: str) -> list[str]:
    """Command line that runs one of :data:`CHILD_MODULES` as ``__main__`` in a process of its own."""
    if getattr(sys, "frozen", False):
        return [sys.executable, CHILD_FLAG, module]
    return [sys.executable, "-m", module]


def run_requested_child(arguments: list[str]) -> bool:
    """Run the child module that the arguments of a frozen program ask for; false if they ask for none."""
    if len(arguments) != 2 or arguments[0] != CHILD_FLAG or arguments[1] not in CHILD_MODULES:
        return False
    runpy.run_module(arguments[1], run_name="__main__")
    return True
