"""The little HTTP that client, upstream and shop share: one exchange out, and a threaded listener in."""

import http.client
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEADLINE = 20  # seconds; a guard against hanging, never something a check measures


class Reply:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw


def exchange(method, url, raw=None, headers=None):
    """One request over a connection of its own; no proxies, no redirects."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=DEADLINE)
    try:
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request(method, target, body=raw, headers=headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def post_json(url, raw):
    return exchange("POST", url, raw, {"Content-Type": "application/json"})


class HangUp(Exception):
    """Raised by a route: close the connection without an answer."""


class Listener:
    """Serves `route(method, path, headers, raw) -> (status, content type, bytes)` on a loopback port, in threads."""

    def __init__(self, route, port=0):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self):
                raw = self._body()
                try:
                    status, content_type, answer = route(self.command, self.path, self.headers, raw)
                except HangUp:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def _body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                raw = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    raw += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return raw

            do_GET = do_POST = do_PUT = _serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Waiter:
    """State guarded by a condition: `with self.changed`, `notify_all`, and waiting for a predicate with a deadline."""

    def __init__(self):
        self.changed = threading.Condition()

    def wait_for(self, predicate, what):
        """The predicate's first true value, or an AssertionError naming what did not happen."""
        with self.changed:
            found = self.changed.wait_for(predicate, DEADLINE)
        assert found, f"{what}: not within {DEADLINE} s"
        return found
