"""The HTTP server under the door: threads, HTTP/1.1 with connections kept open, loopback only.

boto3 keeps a connection per thread and calls again and again on it. werkzeug's server closes after each
answer and then waits 10 ms; this one, on the standard library's, keeps the connection and sends each answer in
one packet without Nagle's delay. A body may come in chunks. Whatever could leave unread bytes on a connection (a body
too long, a method that no service has) closes it. The ``Date`` header is real time, whatever the lab's clock says.
"""

from __future__ import annotations

import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

from mglab.localcloud.api.app import Application
from mglab.localcloud.api.wire import MOST_BODY_BYTES

log = logging.getLogger(__name__)

IDLE_CONNECTION_S = 120.0
LONGEST_CHUNK_LINE, MOST_TRAILERS = 4096, 50


class Server:
    """A cloud's endpoint, answering in threads of its own until it is closed."""

    def __init__(self, http: _Http) -> None:
        self._http = http
        self._thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.1}, name="api", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop answering; returns when no new connection is taken."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def serve(app: Application, port: int = 0) -> Server:
    """Listen on the loopback (port 0: any free one) and begin to answer; OSError when the port is taken."""
    return Server(_Http(("127.0.0.1", port), app))


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: Application) -> None:
        super().__init__(address, _Handler)
        self.app = app

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a client went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Http
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mglab", ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_CONNECTION_S

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            self._closed_with(413)
            return
        for part in self.server.app(self._environ(body), self._start_response):
            self.wfile.write(part)
        self.wfile.flush()

    do_GET = do_POST

    def do_PUT(self) -> None:
        self._closed_with(405, ("Allow", "GET, POST"))

    do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = do_PUT

    def _closed_with(self, status: int, *headers: tuple[str, str]) -> None:
        """Answer with a bare status and hang up: what else the client sends is not read."""
        self.close_connection = True
        self.send_response(status)
        for name, value in (*headers, ("Connection", "close"), ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def _body(self) -> bytes | None:
        """Read the body; None when its end cannot be told or is too far."""
        if "Transfer-Encoding" in self.headers:
            chunked = self.headers["Transfer-Encoding"].strip().lower() == "chunked"
            return self._chunks() if chunked and "Content-Length" not in self.headers else None
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        """Read a body in chunks up to the empty one; None when it is malformed or too long."""
        body = b""
        while True:
            size = self.rfile.readline(LONGEST_CHUNK_LINE).partition(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF") or len(body) + int(size, 16) > MOST_BODY_BYTES:
                return None
            if not int(size, 16):
                break
            body += self.rfile.read(int(size, 16))
            if self.rfile.readline(LONGEST_CHUNK_LINE) not in (b"\r\n", b"\n"):
                return None
        trailers = (self.rfile.readline(LONGEST_CHUNK_LINE) for _ in range(MOST_TRAILERS))
        return body if any(line in (b"\r\n", b"\n", b"") for line in trailers) else None

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": None,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if "_" not in name and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[f"HTTP_{key}"] = value
        return environ

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
