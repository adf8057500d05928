"""A real HTTP server on this machine that serves files, and misbehaves when told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files`; a path in `cut` is answered with half of its bytes, so many times.

    Attributes:
        files: path -> content.
        cut: path -> how often the connection breaks off in the middle.
        requests: paths that were asked for, in order.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.requests: list[str] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        self.requests.append(path)
        content = self.files.get(path)
        if content is None:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if self.cut.get(path, 0) > 0:
            self.cut[path] -= 1
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
        else:
            request.wfile.write(content)


@contextmanager
def serve() -> Iterator[FileServer]:
    """Run a server on a free port of 127.0.0.1 while in the context."""
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.answer(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
