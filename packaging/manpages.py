"""Manual pages of both programs, made from their own parsers, so that they say what the programs do.

python packaging/manpages.py [FOLDER]
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import product

#: What the parsers do not say.
FILES = (
    ("~/.config/cnnpredict", "settings"),
    ("~/.local/share/cnnpredict", "models, presets and the last session of yours"),
    ("~/.cache/cnnpredict", "what can be made again"),
)
VARIABLES = (
    ("CNNPREDICT_HOME", "puts all folders of the user below this one"),
    ("MODELS_DIR", "further folders with models, separated by colons"),
)
EXIT_CODES = (("0", "success"), ("1", "failure"), ("2", "bad input"), ("130", "interrupted"))


def escaped(text: str) -> str:
    """Text in which roff sees no requests and no escapes."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in safe.splitlines())


def _tagged(pairs: list[tuple[str, str]]) -> list[str]:
    return [line for term, text in pairs for line in (".TP", f".B {escaped(term)}", escaped(text or " "))]


def options_of(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """Each option of a parser with its value and its help, without ``--help``."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        value = "" if action.nargs == 0 else str(action.metavar or "/".join(map(str, action.choices or ())) or action.dest)
        names = ", ".join(action.option_strings)
        found.append((f"{names} {value}".strip(), (action.help or "") % {**vars(action), "prog": parser.prog}))
    return found


def page(parser: argparse.ArgumentParser, synopsis: list[str], commands: dict[str, argparse.ArgumentParser]) -> str:
    """One manual page of section 1."""
    date = datetime.fromtimestamp(product.source_date(), UTC).strftime("%Y-%m-%d")
    summary = (parser.description or "").rstrip(".")
    lines = [f'.TH {parser.prog.upper()} 1 "{date}" "{product.NAME} {product.version()}"', ".SH NAME"]
    lines += [f"{escaped(parser.prog)} \\- {escaped(summary[:1].lower() + summary[1:])}", ".SH SYNOPSIS"]
    for line in synopsis:
        lines += [f".B {escaped(line)}", ".br"]
    lines += [".SH DESCRIPTION", escaped(parser.description or ""), ".SH OPTIONS"]
    lines += _tagged([*options_of(parser), ("-h, --help", "show a help text")])
    for name, command in commands.items():
        lines += [f".SH COMMAND {escaped(name.upper())}", escaped(command.description or "")]
        lines += _tagged(options_of(command))
        lines += [".PP", ".nf", *escaped(command.epilog or "").splitlines(), ".fi"]
    sections = (("FILES", FILES), ("ENVIRONMENT", VARIABLES), ("EXIT STATUS", EXIT_CODES))
    for title, pairs in sections:
        lines += [f".SH {title}", *_tagged(list(pairs))]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name to text of both pages."""
    os.environ["COLUMNS"] = "80"
    sys.path.insert(0, str(product.ROOT))
    from cnnpredict_gui.cli.main import build_parser
    from cnnpredict_gui.gui.arguments import parser as window_parser

    command_line = build_parser()
    subparsers = next(action for action in command_line._actions if isinstance(action, argparse._SubParsersAction))
    commands = dict(subparsers.choices)
    return {
        f"{product.CLI}.1": page(command_line, [f"{product.CLI} COMMAND [OPTION]..."], commands),
        f"{product.GUI}.1": page(window_parser(), [f"{product.GUI} [OPTION]... [FILE]"], {}),
    }


def write(folder: Path) -> None:
    """Write both pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else product.BUILD / "man")
