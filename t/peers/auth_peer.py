"""auth_peer - just enough of Dovecot's auth server for Postfix to authenticate clients

Speaks version 1.1 of Dovecot's authentication protocol on a UNIX socket: PLAIN only, every user
whose password is the one given to start() is right.
"""
import base64
import os
import socket
import threading


class AuthPeer:
    """The auth server; one thread a connection."""

    def __init__(self, path, password="secret"):
        self.path = path
        self.password = password
        self._listener = None
        self._connections = []

    def start(self):
        """Listen; returns self."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(300)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        """Close every socket."""
        for sock in [self._listener, *self._connections]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.sendall(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
                               b"COOKIE\t00112233445566778899aabbccddeeff\nDONE\n")
            for line in connection.makefile("rb"):
                words = line.decode().rstrip("\n").split("\t")
                if words[0] == "AUTH":
                    connection.sendall(self._answer(words).encode())
        except OSError:
            pass

    def _answer(self, words):
        response = next((word[5:] for word in words if word.startswith("resp=")), "")
        parts = base64.b64decode(response + "==").decode("utf-8", "replace").split("\0")
        if len(parts) == 3 and parts[2] == self.password:
            return f"OK\t{words[1]}\tuser={parts[1]}\n"
        return f"FAIL\t{words[1]}\tuser={parts[1] if len(parts) > 1 else ''}\n"
