"""Start of the command line: finds the command, turns every failure into one line and an exit code.

Exit codes: 0 success, 1 something failed through no fault of the input, 2 bad input, 130 interrupted, 141 nobody reads on.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn, Protocol

from cnnpredict_gui import __version__
from cnnpredict_gui.cli import (
    batch,
    benchmark,
    calibrate,
    collect,
    doctor,
    evaluate,
    health,
    import_,
    measure,
    models,
    network,
    predict,
    sweep,
    train,
)
from cnnpredict_gui.cli.usage import UsageError
from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, WorkerError
from cnnpredict_gui.infra.streams import open_missing_streams

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141

logger = logging.getLogger(__name__)


class Command(Protocol):
    """A module that is a command."""

    def add_parser(self, subparsers: argparse._SubParsersAction[Parser]) -> None:
        """Describe the command and its options; the parser's default ``run`` is the function to call."""


#: In the order of the help.
COMMANDS: dict[str, Command] = {
    "predict": predict,
    "sweep": sweep,
    "network": network,
    "batch": batch,
    "models": models,
    "evaluate": evaluate,
    "benchmark": benchmark,
    "measure": measure,
    "calibrate": calibrate,
    "train": train,
    "import": import_,
    "collect": collect,
    "doctor": doctor,
    "health": health,
}


class Parser(argparse.ArgumentParser):
    """Raises instead of printing usage and ending the process, and knows what was nearly meant."""

    def error(self, message: str) -> NoReturn:
        """Raise :class:`UsageError`."""
        program = self.prog
        raise UsageError(message, f"see {program} --help")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse; an unknown option raises :class:`UsageError` with the nearest known one."""
        found, unknown = self.parse_known_args(arguments)
        if unknown:
            self._refuse(unknown[0], found)
        return found

    def _refuse(self, option: str, found: argparse.Namespace) -> NoReturn:
        parser: argparse.ArgumentParser = getattr(found, "parser", self)
        match = get_close_matches(option.split("=", maxsplit=1)[0], list(parser._option_string_actions), n=1)
        hint = f"did you mean {match[0]}?" if match else f"see {parser.prog} --help"
        raise UsageError(f"unexpected argument {option!r}", hint)


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="cnnpredict",
        description="Predicts how long convolution layers and whole CNNs take on many devices, offline.",
        epilog="examples:\n"
        "  cnnpredict predict --target cpu --input-channels 64 --input-height 56 --input-width 56 --output-channels 64\\\n"
        "                     --kernel-size 3\n  cnnpredict models\n\nA command's own help has more: cnnpredict predict --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cnnpredict {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=Parser)
    for command in COMMANDS.values():
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never raises for what a user can cause."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    open_missing_streams()
    _tolerate_narrow_terminals()
    try:
        return _run(arguments)
    except CancelledByUserError:
        return _interrupted()
    except CnnPredictError as error:
        _report(error.message, error.hint, "--json" in arguments)
        return FAILURE if isinstance(error, WorkerError) else BAD_INPUT
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Nobody reads any more; what Python flushes at exit must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError:
        _report("memory ran out", "use fewer rows or models at a time, or close other programs", "--json" in arguments)
        return FAILURE
    except Exception as error:
        logger.exception("the command failed")
        _report(f"this should not happen: {type(error).__name__}: {error}", _where_to_look(), "--json" in arguments)
        return FAILURE


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        match = get_close_matches(arguments[0], COMMANDS, n=1)
        hint = f"did you mean {match[0]}?" if match else f"commands are {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {arguments[0]!r}", hint)
    options = parser.parse(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return BAD_INPUT
    from cnnpredict_gui.infra.logs import set_up_logging

    set_up_logging()
    code: int = options.run(options)
    sys.stdout.flush()
    return code


def _report(message: str, hint: str, as_json: bool) -> None:
    text = " ".join(message.split())
    print(f"cnnpredict: error: {text}{f' ({hint})' if hint else ''}", file=sys.stderr)
    if as_json:
        print(json.dumps({"status": "error", "error": text, "hint": hint}))


def _interrupted() -> int:
    print("cnnpredict: interrupted, nothing was left half-written", file=sys.stderr)
    return INTERRUPTED


def _where_to_look() -> str:
    from cnnpredict_gui.infra.logs import log_file

    return f"please report it with {log_file()}"


def _tolerate_narrow_terminals() -> None:
    """Show a question mark instead of failing where the terminal's encoding lacks a character."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
