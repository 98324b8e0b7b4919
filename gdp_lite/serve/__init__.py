"""A local page to drop a photo on: ``python -m gdp_lite serve``. Nothing leaves the machine.

The standard library's server: the package needs no other one for a page with one photo, and what
decides who may use it stands in one file (`handler`). The photo, its result and what the browser
shows are in memory alone; no file is written, and all is gone when the page is closed.
"""

import contextlib
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from gdp_lite.one_photo import loaded
from gdp_lite.prior import Denoiser
from gdp_lite.serve.handler import Server
from gdp_lite.serve.session import PATIENCE
from gdp_lite.tasks import pick_device


def make_server(
    port: int = 0, prior: Denoiser | str | Path | None = None, device: str = "auto"
) -> Server:
    """A `Server`, bound but not yet running; parameters are those of `serve`.

    Examples
    --------
    >>> with make_server() as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """
    place, one = pick_device(device), threading.Lock()

    def network() -> Denoiser:
        with one:
            return loaded(prior, place)

    try:
        return Server(port, network)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"port {port} cannot be used: {reason}") from error


def serve(
    port: int = 0,
    *,
    prior: Denoiser | str | Path | None = None,
    device: str = "auto",
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Serve the page until ^C.

    Parameters
    ----------
    port : of 127.0.0.1; 0 for one that is free.
    prior, device : as in `restore_photo`.
    browser : whether to open one.
    say : called with the address.

    Raises
    ------
    ValueError : in one line, where the port cannot be used.
    """
    with make_server(port, prior, device) as server:
        say(f"{server.url}  (^C ends it)")
        loading = threading.Thread(target=_loaded, args=(server,), daemon=True)
        loading.start()
        if browser:
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
        finally:
            if server.session is not None:
                server.session.close()
            loading.join(PATIENCE)  # torch does not like to be cut off


def _loaded(server: Server) -> None:
    """Load the network while a person looks for a photo; what fails is said when it is needed."""
    with contextlib.suppress(Exception):
        server.network()
