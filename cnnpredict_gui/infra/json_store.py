"""Small JSON files that the program keeps for itself: versioned, written whole or not at all, set aside when damaged.

A file says the number of its format. Older formats are brought up to date by a chain of steps, newer ones are left alone.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from cnnpredict_gui.core.errors import DataFileError, OutputError
from cnnpredict_gui.infra.files import atomic_text

logger = logging.getLogger(__name__)
Content = dict[str, Any]
#: Turns the content of a format into that of the next one.
Step = Callable[[Content], Content]
#: Files larger than this are not read: nothing this program keeps comes near.
MAX_BYTES = 16_000_000


class NewerFormatError(DataFileError):
    """A file that a newer version of the program wrote; it stays as it is."""


def read_json(path: Path, form: int, steps: Sequence[Step] = ()) -> tuple[Content, str]:
    """Content of a file written by :func:`write_json`, and a problem to tell the user (empty if there is none).

    A damaged file is renamed to ``<name>.damaged-<time><suffix>``, one of a newer format or that cannot be read stays; the
    content is empty then, as for a missing file, which is no problem. Never raises.

    Args:
        path: The file.
        form: Number of the format wanted.
        steps: See :func:`up_to_date`.
    """
    try:
        return up_to_date(path.name, read_any(path), form, steps), ""
    except FileNotFoundError:
        return {}, ""
    except NewerFormatError as error:
        logger.warning("%s", error)
        return {}, str(error)
    except DataFileError as error:
        return {}, set_aside(path, error.message)
    except OSError as error:
        logger.warning("%s cannot be read: %s", path, error)
        return {}, f"{path} cannot be read: {error.strerror or error}"


def read_any(path: Path) -> object:
    """The JSON value in a plain file of reasonable size.

    Raises:
        DataFileError: it is no such file, or damaged.
        OSError: it is missing or cannot be read.
    """
    try:
        facts = path.stat()
    except UnicodeEncodeError as error:
        raise OSError(errno.EINVAL, "this system has no such letters in names") from error
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "is no plain file")
    if facts.st_size > MAX_BYTES:
        raise DataFileError(f"{path.name} is far too large", "choose another file")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{path.name} is damaged: {error}", "choose another file or an older copy of it") from error


def up_to_date(name: str, data: object, form: int, steps: Sequence[Step] = ()) -> Content:
    """Content in the format wanted, taken there step by step.

    Args:
        name: Name of the file, for messages.
        data: What the file holds.
        form: Number of the format wanted.
        steps: What leads to it: the last step turns format ``form - 1`` into ``form``, the one before ``form - 2``, and so on.

    Raises:
        NewerFormatError: the content is of a later format.
        DataFileError: it is of no known format, or a step cannot make sense of it.
    """
    found = data.get("format") if isinstance(data, dict) else None
    if not isinstance(data, dict) or type(found) is not int or found < form - len(steps):
        raise DataFileError(f"{name} is of a format that this version does not know", "choose another file")
    if found > form:
        raise NewerFormatError(
            f"{name} is of format {found}, this version reads up to {form}; it stays as it is",
            "use the version that wrote it, or rename the file to begin anew",
        )
    for number, step in enumerate(steps[len(steps) - (form - found) :], found + 1):
        try:
            data = step(dict(data)) | {"format": number}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataFileError(f"{name} cannot be brought from format {found} to {number}: {error}") from error
    return data


def write_json(path: Path, data: Content, form: int) -> None:
    """Write ``data`` with its format number. What is there and cannot be read is set aside first.

    Raises:
        OutputError: the file cannot be written, or what is there was written by a newer version.
    """
    try:
        up_to_date(path.name, read_any(path), form, [dict] * form)
    except FileNotFoundError:
        pass
    except NewerFormatError as error:
        raise OutputError(error.message, error.hint) from error
    except DataFileError as error:
        set_aside(path, error.message)
    except OSError as error:
        if os.path.isfile(path):  # noqa: PTH113 - false also for names the system does not take
            set_aside(path, f"{path.name} cannot be read: {error.strerror or error}")
    atomic_text(path, json.dumps({"format": form} | data, indent=1, ensure_ascii=False) + "\n")


def set_aside(path: Path, why: str) -> str:
    """Rename a file that cannot be used, so that it is neither lost nor in the way; the text says so.

    What SQLite keeps beside a file goes with it: it must not be applied to a new one.

    Args:
        path: The file.
        why: What is wrong with it, e.g. ``is damaged``.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    names = (f"{path.stem}.damaged-{stamp}{f'-{number}' if number else ''}{path.suffix}" for number in count())
    kept = next(place for place in map(path.with_name, names) if not os.path.lexists(place))
    why = why.removeprefix(f"{path.name} ")
    try:
        os.replace(path, kept)
        for tail in ("-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(path.with_name(path.name + tail), kept.with_name(kept.name + tail))
    except OSError as error:
        text = f"{path} {why} and cannot be renamed: {error.strerror or error}"
    else:
        text = f"{path.name} {why}; it was kept as {kept}"
    logger.warning("%s", text)
    return text
