"""On PYTHONPATH of a program under test: Python reports and refuses every use of the network, in all its processes.

Sockets of the file system (AF_UNIX) stay allowed. What was tried is appended to the file named by ``NETWORK_ATTEMPTS``.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from typing import Any

_REFUSED = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "urllib.Request"}
_OF_A_SOCKET = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _REFUSED and event not in _OF_A_SOCKET:
        return
    if event in _OF_A_SOCKET:
        if arguments[0].family == getattr(socket, "AF_UNIX", None):
            return
        arguments = arguments[1:]
    with open(os.environ["NETWORK_ATTEMPTS"], "a", encoding="utf-8") as file:
        file.write(f"{event} {arguments!r}\n{''.join(traceback.format_stack(limit=8))}\n")
    raise PermissionError(f"the network is forbidden: {event} {arguments!r}")


sys.addaudithook(_watch)
