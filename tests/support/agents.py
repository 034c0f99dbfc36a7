"""What log agents that tests run send to: an Elasticsearch and a Graylog that keep what they get."""

import json
import socketserver
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers import InBackground


class Elasticsearch(InBackground, ThreadingHTTPServer):
    """Takes documents by the bulk interface, none with an id that it has, and leaves one request without an answer."""

    def __init__(self):
        """Listen."""
        self.documents = {}
        self.unanswered, self.refused = 1, 0
        super().__init__(BulkRequest)

    def create(self, action, document):
        """Store a document, and return the status."""
        key = action["create"]["_id"]
        if key in self.documents:
            self.refused += 1
            return 409
        self.documents[key] = (action["create"]["_index"], document)
        return 201


class BulkRequest(BaseHTTPRequestHandler):
    """https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk."""

    protocol_version = "HTTP/1.1"

    def answer(self, found):
        """Send JSON."""
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        """Say that all is well."""
        self.answer({"status": "green"})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        """Take lines of JSON, by twos: what to do, and the document."""
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        pairs = zip(map(json.loads, lines[::2]), map(json.loads, lines[1::2]), strict=True)
        statuses = [self.server.create(*pair) for pair in pairs]
        if self.server.unanswered:
            self.server.unanswered -= 1
            self.close_connection = True
            return
        items = [{"create": {"status": status}} for status in statuses]
        self.answer({"took": 1, "errors": 409 in statuses, "items": items})

    def log_message(self, *_):
        """Print nothing."""


class Graylog(InBackground, socketserver.ThreadingTCPServer):
    """Takes messages of GELF by TCP, each of which ends with a zero byte."""

    def __init__(self):
        """Listen."""
        self.messages = []
        super().__init__(GelfConnection)


class GelfConnection(socketserver.StreamRequestHandler):
    """https://go2docs.graylog.org/current/getting_in_log_data/gelf.html."""

    def handle(self):
        """Take messages until the sender has gone."""
        rest = b""
        while data := self.request.recv(1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            self.server.messages += [json.loads(message) for message in messages]
