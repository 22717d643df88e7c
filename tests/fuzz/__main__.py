"""Fuzzes every reader of files.

python -m tests.fuzz --inputs 1000000 [--reader NAME ...] [--seed 1] [--jobs 2] [--keep FOLDER]

Inputs are shared out evenly over the readers and run in processes of 5,000 each. Exits with 1 if anything was found.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.readers import readers
from tests.fuzz.run import Outcome, fuzz_in_child, keep

CHUNK = 5_000


def main() -> int:
    """Run, print a line per reader and every different finding once."""
    parser = argparse.ArgumentParser(description="Fuzzes every reader of files.")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in all")
    parser.add_argument("--reader", nargs="+", choices=sorted(readers()), default=sorted(readers()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for inputs that were found")
    arguments = parser.parse_args()
    each = -(-arguments.inputs // len(arguments.reader))
    jobs = [
        (name, min(CHUNK, each - start), arguments.seed + start) for start in range(0, each, CHUNK) for name in arguments.reader
    ]
    totals = {name: Outcome(name) for name in arguments.reader}
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for number, outcome in enumerate(pool.map(lambda job: fuzz_in_child(*job), jobs), 1):
            total = totals[outcome.reader]
            total.taken += outcome.taken
            total.refused += outcome.refused
            total.seconds += outcome.seconds
            total.findings += outcome.findings
            if number % len(arguments.reader) == 0:
                done = sum(one.taken + one.refused + len(one.findings) for one in totals.values())
                print(f"{done:,} inputs, {sum(len(one.findings) for one in totals.values())} findings", flush=True)
    findings = [finding for total in totals.values() for finding in total.findings]
    if arguments.keep:
        keep(findings, arguments.keep)
    for one in totals.values():
        inputs = one.taken + one.refused + len(one.findings)
        print(f"{one.reader:10} {inputs:9,} inputs, {one.taken:9,} taken, {len(one.findings)} findings, {one.seconds:,.0f} s")
    for what in sorted({f"{one.reader}: {one.what}" for one in findings}):
        print("-----", what)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
