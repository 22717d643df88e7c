"""One instance per user: a second start hands its file to the first and ends."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from cnnpredict_gui.infra.paths import user_name

logger = logging.getLogger(__name__)
_TIMEOUT_MS = 500
#: How long a window that is busy may take to answer.
_PATIENCE_MS = 5_000
_TAKEN = b"taken\n"
_MAX_MESSAGE = 65_536


def server_name() -> str:
    """Name of the local socket: of this user and of this user's settings folder."""
    home = os.environ.get("CNNPREDICT_HOME", "")
    whose = f"{user_name()}|{home}".encode("utf-8", "surrogateescape")  # as the system spells it, in any locale
    return f"cnnpredict-{hashlib.sha256(whose).hexdigest()[:16]}"


class SingleInstance(QObject):
    """Listens for later starts, or hands over to an earlier one."""

    #: Path of the file to open (empty: just come to the front).
    called = Signal(str)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._server = QLocalServer(self)
        self._sockets: list[QLocalSocket] = []
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def hand_over(self, path: Path | None) -> bool:
        """Tell a running instance to come to the front and open ``path``; False when there is none, or it does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_TIMEOUT_MS):
            return False
        loop = QEventLoop()
        socket.readyRead.connect(loop.quit)
        socket.disconnected.connect(loop.quit)
        QTimer.singleShot(_PATIENCE_MS, loop, loop.quit)
        socket.write(json.dumps({"open": str(path or "")}).encode() + b"\n")
        loop.exec()
        answered = bytes(socket.readAll().data()) == _TAKEN
        socket.abort()
        if not answered:
            logger.warning("a window that is open already does not answer; this one goes on by itself")
        return answered

    def listen(self) -> bool:
        """Become the instance others hand over to; a socket left by a crash is replaced."""
        if self._server.listen(self._name):
            return True
        QLocalServer.removeServer(self._name)
        return self._server.listen(self._name)

    def close(self) -> None:
        """Stop listening."""
        for socket in list(self._sockets):
            socket.abort()
        self._server.close()

    def _on_connection(self) -> None:
        socket = self._server.nextPendingConnection()
        if socket is not None:
            self._sockets.append(socket)
            socket.readyRead.connect(self._read)
            socket.disconnected.connect(self._drop)
            self._read()

    def _drop(self) -> None:
        gone = [socket for socket in self._sockets if socket.state() == QLocalSocket.LocalSocketState.UnconnectedState]
        for socket in gone:
            self._sockets.remove(socket)
            socket.deleteLater()

    def _read(self) -> None:
        for socket in list(self._sockets):
            if socket.canReadLine():
                line = bytes(socket.readLine().data())
                socket.write(_TAKEN)
                socket.flush()
                self._understand(line)
            elif socket.bytesAvailable() > _MAX_MESSAGE:
                socket.abort()

    def _understand(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if isinstance(message, dict):
            self.called.emit(str(message.get("open", "")))
