"""A mail server for tests, which keeps what it gets."""

import email
import email.policy
import socketserver
import threading
from contextlib import contextmanager


class _Conversation(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self):
        self.say("220 test")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.say("354 go on")
                lines = []
                while (part := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(part[1:] if part.startswith(b"..") else part)
                self.server.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
            if command == b"QUIT":
                self.say("221 bye")
                return
            self.say("250 ok")


@contextmanager
def mail_server():
    """Start a server on a free port, and yield its port and the list of the mails that it has got."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Conversation) as server:
        server.daemon_threads, server.mails = True, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], server.mails
        finally:
            server.shutdown()
