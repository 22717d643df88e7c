"""Options that spread a command's work over processes or a Dask cluster."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.infra.parallel import Mapper


def add_workers(parser: Parser, default: str) -> None:
    """``--workers`` and ``--dask``; ``default`` says what happens without them."""
    group = parser.add_argument_group("where the work is done")
    group.add_argument("--workers", metavar="N", help=f"processes of this machine (default: {default})")
    group.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="on the cluster of the Dask scheduler at this address, e.g. tcp://10.0.0.5:8786; its workers need the same\n"
        "versions of this program and its libraries. Use a cluster you trust: it runs what its members send",
    )


def open_mapper(options: argparse.Namespace) -> AbstractContextManager[Mapper | None]:
    """The mapper that the options ask for; None where they ask for nothing special.

    Raises:
        UsageError: both options are given, or the number of workers is none.
        WorkerError: the cluster cannot be used.
    """
    if options.dask is not None and options.workers is not None:
        raise usage.UsageError("--workers and --dask exclude each other", "start more Dask workers for more of them")
    workers = 1 if options.workers is None else usage.whole_number("--workers", options.workers)
    if options.dask is None and workers == 1:
        return nullcontext()
    from cnnpredict_gui.training.workers import open_workers

    return open_workers(workers, options.dask)
