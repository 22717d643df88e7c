"""Small JSON files that the program keeps for itself: versioned, written whole or not at all, set aside when damaged."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnpredict_gui.infra.files import atomic_text

logger = logging.getLogger(__name__)
#: Files larger than this are not read: nothing this program keeps comes near.
MAX_BYTES = 16_000_000


def read_json(path: Path, form: int) -> tuple[dict[str, Any], str]:
    """Content of a file written by :func:`write_json`, and a problem to tell the user (empty if there is none).

    A file that is damaged or of another format is renamed to ``<name>.damaged-<time><suffix>`` and the content is empty; so it
    is for a missing file, without a problem. Never raises.

    Args:
        path: The file.
        form: Number of the format that can be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}, set_aside(path, "is far too large")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ""
    except (ValueError, RecursionError) as error:
        return {}, set_aside(path, f"is damaged ({error})")
    except OSError as error:
        return {}, f"{path} cannot be read: {error.strerror or error}"
    if not isinstance(data, dict) or data.get("format") != form:
        return {}, set_aside(path, "is of a format that this version does not know")
    return data, ""


def write_json(path: Path, data: dict[str, Any], form: int) -> None:
    """Write ``data`` with its format number.

    Raises:
        OutputError: the file cannot be written.
    """
    atomic_text(path, json.dumps({"format": form} | data, indent=1, ensure_ascii=False) + "\n")


def set_aside(path: Path, why: str) -> str:
    """Rename a file that cannot be used, so that it is neither lost nor in the way; the text says so."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    kept = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    try:
        os.replace(path, kept)
    except OSError as error:
        text = f"{path} {why} and cannot be renamed: {error.strerror or error}"
    else:
        text = f"{path.name} {why}; it was kept as {kept}"
    logger.warning("%s", text)
    return text
