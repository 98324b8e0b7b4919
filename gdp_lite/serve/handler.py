"""HTTP between the local page and its photo: who may ask, what for, and how much.

Only this machine reaches the address. A page of another site in the same browser could still send
requests to it; those are told by their Host and Origin, and none knows the key in the path.
"""

import json
import re
import secrets
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gdp_lite.prior import Denoiser
from gdp_lite.serve.session import PAINTED, Busy, Session

HOME = "127.0.0.1"
MOST = 512 << 20  # bytes of a photo: 64 megapixels of 16-bit RGB have three quarters of it
FEW = 10_000  # bytes of anything else
SLOW = 60  # seconds without a byte, after which a connection is given up
FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "paint.js": ("paint.js", "text/javascript; charset=utf-8"),
}
# Nothing but this page's own files, no frame around it, nothing kept.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """An answer that is no success: its status, and one line for a person."""

    def __init__(self, status: int, line: str):
        super().__init__(line)
        self.status = status


class Server(ThreadingHTTPServer):
    """The page on a port of this machine, and the one photo that it holds.

    Parameters
    ----------
    port : 0 for one that is free.
    network : gives the prior, where it is needed.
    """

    daemon_threads = True

    def __init__(self, port: int, network: Callable[[], Denoiser]):
        super().__init__((HOME, port), Handler)
        self.network = network
        self.key = secrets.token_urlsafe(16)  # other people on this machine do not know it
        self.session: Session | None = None
        self.receiving = False
        self.lock = threading.Lock()

    def server_bind(self) -> None:
        """Without asking for this machine's name, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOME, self.server_address[1]

    @property
    def url(self) -> str:
        """What to open."""
        return f"http://{HOME}:{self.server_port}/{self.key}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error."""


class Handler(BaseHTTPRequestHandler):
    """One request; see `Server`."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "gdp_lite", ""
    timeout = SLOW
    server: Server

    def do_GET(self) -> None:
        """The page, how the work goes, pictures, the result."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A photo, and what is to be done with it."""
        self._answer(self._post)

    def do_other(self) -> None:
        """Nothing else is understood."""
        self._answer(self._no_method)

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_other

    def log_message(self, *_: object) -> None:
        """Nothing: names of photos belong into no log."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself refuses, in the form of the rest."""
        self.close_connection = True
        self._send(code, f"{message or 'this request cannot be understood'}\n".encode())

    # Who may ask, and for what

    def _answer(self, work: Callable[[list[str]], None]) -> None:
        try:
            work(self._allowed())
        except Refused as refused:
            self.close_connection = True  # what was sent with it was not read
            self._send(refused.status, f"{refused}\n".encode())
        except ValueError as error:  # the command line's lines
            self.close_connection = True
            self._send(400, f"{' '.join(str(error).split())}\n".encode())
        except OSError:  # the browser went away
            self.close_connection = True
        except Exception as error:  # ours; the page says it, and goes on
            self.close_connection = True
            self._send(500, f"gdp_lite failed: {type(error).__name__}\n".encode())

    def _allowed(self) -> list[str]:
        """The parts of the path behind the key; `Refused` for whoever is not this page."""
        hosts = self.headers.get_all("Host", [])
        port = self.server.server_port
        if len(hosts) != 1 or hosts[0] not in (f"{HOME}:{port}", f"localhost:{port}"):
            raise Refused(403, "this page answers under its own address alone")
        origin = self.headers.get("Origin")
        own = f"http://{hosts[0]}"
        if origin != own and (origin is not None or self.command == "POST"):
            raise Refused(403, "another page may not use this one")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refused(403, "another page may not use this one")
        key, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not secrets.compare_digest(key.encode(), self.server.key.encode()):
            raise Refused(404, "open the address that `gdp_lite serve` prints")
        return rest.split("/")

    def _no_method(self, way: list[str]) -> None:
        raise Refused(405, f"{self.command} is not understood here")

    def _session(self, token: str) -> Session:
        session = self.server.session
        if session is None or not secrets.compare_digest(token.encode(), session.token.encode()):
            raise Refused(410, "this photo is closed: another one took its place")
        return session

    # What there is

    def _get(self, way: list[str]) -> None:
        if len(way) == 1 and way[0] in FILES:
            name, kind = FILES[way[0]]
            return self._send(200, _file(name), kind)
        if way[0] != "photo" or not 2 <= len(way) <= 3:
            raise Refused(404, "there is nothing here")
        session = self._session(way[1])
        if len(way) == 2:
            return self._json(200, session.as_json())
        if way[2] == "result" and session.result is not None:
            name = quote(session.result["name"])
            put = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
            return self._send(200, session.result["data"], "application/octet-stream", put)
        data = session.picture(way[2])
        if data is None:
            raise Refused(404, "there is no such picture")
        return self._send(200, data, "image/png" if data[:4] == b"\x89PNG" else "image/jpeg")

    def _post(self, way: list[str]) -> None:
        if way == ["photo"]:
            return self._receive()
        if len(way) != 3 or way[0] != "photo":
            raise Refused(404, "there is nothing here")
        session = self._session(way[1])
        try:
            if way[2] in PAINTED:
                session.paint(way[2], lambda: self._body(MOST))
                return self._json(200, {})
            body = self._body(FEW)
            if way[2] in ("preview", "restore"):
                getattr(session, way[2])(**_choice(body))
            elif way[2] == "cancel":
                session.cancel()
            elif way[2] == "release":
                self._release(session)
            else:
                raise Refused(404, "there is nothing here")
        except Busy as busy:
            raise Refused(409, "something is being done already: wait, or cancel it") from busy
        return self._json(202, {})

    def _release(self, session: Session) -> None:
        with self.server.lock:
            if self.server.session is session:
                self.server.session = None
        session.cancel()

    def _receive(self) -> None:
        """Take a photo in, in place of the one that was there where the page says so."""
        asked = parse_qs(urlsplit(self.path).query)
        length = self._length(MOST)
        server = self.server
        with server.lock:
            old = server.session
            own = old is None or old.token in asked.get("instead", []) or "take" in asked
            if server.receiving or not own:
                raise Refused(409, "another tab of this page holds a photo")
            server.receiving, server.session = True, None
        try:
            if old is not None:
                old.close()
                del old
            name = unquote(asked.get("name", ["photo"])[0])
            session = Session(name, self._read(length), server.network)
            session.find()
            server.session = session
        finally:
            server.receiving = False
        self._json(201, {"token": session.token})

    # Bodies

    def _length(self, most: int) -> int:
        """How long the body says that it is, before any of it is read."""
        said = self.headers.get("Content-Length")
        if said is None or "Transfer-Encoding" in self.headers:
            raise Refused(411, "the length must be said")
        if not re.fullmatch(r"\d{1,18}", said):
            raise Refused(400, "that is no length")
        if int(said) > most:
            raise Refused(413, f"at most {most / 1e6:.0f} MB are taken: that is no photo")
        return int(said)

    def _body(self, most: int) -> bytes:
        return self._read(self._length(most))

    def _read(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise ConnectionError
        return data

    def _json(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, json.dumps(value, allow_nan=False).encode(), "application/json")

    def _send(
        self,
        status: int,
        data: bytes,
        kind: str = "text/plain; charset=utf-8",
        more: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **(more or {}), "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _choice(body: bytes) -> dict[str, Any]:
    """{"kinds": [...], "strength": number, "exposure": number or null}, as arguments."""
    try:
        told = json.loads(body)
        kinds, exposure = told["kinds"], told["exposure"]
        if not isinstance(kinds, list):
            raise TypeError
        strength = float(told["strength"])
        return {
            "kinds": [str(kind) for kind in kinds],
            "strength": strength,
            "exposure": None if exposure is None else float(exposure),
        }
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise Refused(400, "that is no choice of what to undo") from error


@cache
def _file(name: str) -> bytes:
    return (files("gdp_lite.serve") / name).read_bytes().replace(b"MOST", str(MOST).encode())
