"""One photo on the local page: what is known of it, and the work that is done on it."""

import io
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from PIL import Image
from torch import Tensor

from gdp_lite.diagnosis import SEEN, Diagnosis, diagnose, known_kinds, told
from gdp_lite.files.encoding import check_size, kind_for
from gdp_lite.files.pixels import space_of
from gdp_lite.findings import small
from gdp_lite.image import to_uint8
from gdp_lite.kept_colour import NEARLY, is_grey
from gdp_lite.one_photo import MAX_PIXELS, answered, default_output, undone
from gdp_lite.photos import PhotoError, read_painted_mask, read_painted_strokes, read_photo
from gdp_lite.policy import POLICY
from gdp_lite.preview import NAMES, SIDE, in_words, looked_at
from gdp_lite.prior import Denoiser
from gdp_lite.restoring import calls, hints_of, needs_prior
from gdp_lite.serve.paced import Paced, Stopped, pixels_of

WORKING = ("looking", "painting", "previewing", "restoring", "writing")
PAINTED = ("missing", "grey")  # the kinds that a person can paint
SHOWN = 16_000  # pixels a side, of a picture for the browser
PATIENCE = 60.0  # seconds that a stopped call of the network may take to end


class Busy(Exception):
    """Something is being done already."""


class Session:
    """A photo, read and checked.

    Parameters
    ----------
    name : the file's, for messages and for the name of the result.
    data : all of the file.
    network : gives the prior, where it is needed.

    Raises
    ------
    PhotoError : the command line's, in one line.
    """

    def __init__(self, name: str, data: bytes, network: Callable[[], Denoiser]):
        self.name, self.data, self.network = plain(name), data, network
        self.token = secrets.token_urlsafe(16)
        self.output = str(default_output(self.name))
        self.photo = read_photo(data, MAX_PIXELS, name=self.name)
        check_size(self.output, kind_for(self.output, self.photo), self.photo)
        self.grey = is_grey(small(self.photo.image), NEARLY)  # as `of_colour` sees it
        self.state, self.error = "ready", ""
        self.diagnosis: Diagnosis | None = None
        self.pace: Paced | None = None
        self.look: dict[str, Any] | None = None
        self.result: dict[str, Any] | None = None
        self.pictures: dict[str, bytes] = {}
        self._lock, self._stop, self._thread = Lock(), Event(), Thread()

    def find(self) -> None:
        """Begin to look for what is wrong."""
        self._begin("looking", self._find)

    def preview(self, kinds: list[str], strength: float, exposure: float | None) -> None:
        """Begin to restore three parts; `Busy` where something is being done."""
        chosen = self._chosen(kinds, strength, exposure)
        self._begin("previewing", lambda: self._preview(*chosen))

    def restore(self, kinds: list[str], strength: float, exposure: float | None) -> None:
        """Begin to restore the whole; `Busy` where something is being done."""
        chosen = self._chosen(kinds, strength, exposure)
        self._begin("restoring", lambda: self._restore(*chosen))

    def paint(self, kind: str, read: Callable[[], bytes]) -> None:
        """Take what a person painted, in place of what was painted before.

        Parameters
        ----------
        kind : of `PAINTED`.
        read : gives the layer, see `read_painted`; empty where all was wiped away.

        Raises
        ------
        Busy : where something is being done; nothing is read then.
        PhotoError : for what cannot be used; then nothing of that kind is painted.
        """
        with self._lock:
            if self.diagnosis is None or self.state in WORKING:
                raise Busy
            self.state, self.error = "painting", ""
        try:
            data, found = read(), dict(self.diagnosis.findings)
            found.pop(kind, None)
            self.diagnosis = Diagnosis(found)
            if data:
                self.diagnosis = self._with_painted(kind, data)
        finally:
            self.state = "ready"

    def cancel(self) -> None:
        """Stop what is being done, after the call of the network that is under way."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait until the photo is out of use."""
        self.cancel()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def picture(self, which: str) -> bytes | None:
        """What the browser shows, as a file: before, after, parts."""
        with self._lock:
            if which == "before" and which not in self.pictures:
                self.pictures[which] = self._shown(self.photo.image, "JPEG")
            return self.pictures.get(which)

    def as_json(self) -> dict[str, Any]:
        """Everything that the page tells."""
        height, width = self.photo.image.shape[-2:]
        pace = self.pace
        return {
            "name": self.name,
            "size": [width, height],
            "state": self.state,
            "error": self.error,
            "stopping": self._stop.is_set() and self.state in WORKING,
            "grey": self.grey,
            "findings": self._findings(),
            "share": pace and round(pace.share, 3),
            "left": None if pace is None or pace.left is None else in_words(pace.left),
            "look": self.look,
            "result": self.result and {k: v for k, v in self.result.items() if k != "data"},
        }

    def _findings(self) -> list[dict[str, Any]]:
        if self.diagnosis is None:
            return []
        return [
            {
                "kind": kind,
                "line": found.line,
                "on": found.seen,
                "doubtful": found.visible >= SEEN and not found.seen,
            }
            for kind, found in self.diagnosis.findings.items()
        ]

    def _begin(self, state: str, work: Callable[[], None]) -> None:
        with self._lock:
            if self.state in WORKING:
                raise Busy
            self.state, self.error = state, ""
            self._stop.clear()
            self._thread = Thread(target=self._run, args=(work,), daemon=True)
            self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except Exception as error:  # a thread's traceback reaches nobody
            line = " ".join(str(error).split()) or type(error).__name__
            self.error = line if isinstance(error, ValueError) else f"{self.name}: {line}"
        finally:
            self.pace = None
            self.state = "ready" if self.diagnosis is not None else "failed"

    def _find(self) -> None:
        self.diagnosis = diagnose(self.photo.image, self.photo.iso, self.photo.coding)

    def _with_painted(self, kind: str, data: bytes) -> Diagnosis:
        assert self.diagnosis is not None
        if kind == "missing":
            return told(self.diagnosis, mask=read_painted_mask(data, self.photo))
        if not self.grey:
            raise PhotoError("this photo has colours: strokes are for a black-and-white one")
        strokes = read_painted_strokes(data, self.photo)
        return told(self.diagnosis, strokes=(strokes, self.photo.image))

    def _chosen(
        self, kinds: list[str], strength: float, exposure: float | None
    ) -> tuple[Diagnosis, list[str], float]:
        if self.diagnosis is None:
            raise Busy
        kinds = known_kinds(kinds)
        if not 0.01 <= strength <= 100:
            raise ValueError(f"strength must be a number from 0.01 to 100, not {strength:g}")
        if exposure is not None and not -5 <= exposure <= 5:
            raise ValueError(f"exposure must be a number from -5 to 5, not {exposure:g}")
        diagnosis = told(self.diagnosis, exposure=exposure)
        return diagnosis, diagnosis.chosen(kinds, ()), strength

    def _paced(self, diagnosis: Diagnosis, kinds: list[str], pixels: float) -> Paced | None:
        if not needs_prior(diagnosis, kinds):
            return None
        prior = self.network()
        if (hints := hints_of(diagnosis, kinds)) is not None:  # on the photo made small, and once
            pixels += POLICY["general"].steps * hints.strokes.numel()
        self.pace = Paced(prior, pixels, self._stop)
        return self.pace

    def _preview(self, diagnosis: Diagnosis, kinds: list[str], strength: float) -> None:
        y = self.photo.image
        parts = len(NAMES) if max(y.shape[-2:]) > SIDE else 1  # the same ones are made once
        height, width = (min(n, SIDE) for n in y.shape[-2:])
        pixels = parts * pixels_of(height, width, calls(diagnosis, kinds))
        found = looked_at(y, diagnosis, self._paced(diagnosis, kinds, pixels), kinds, strength)
        shown: dict[tuple[int, int], int] = {}  # in a small photo some parts are the same
        names: list[str] = []
        shots = zip(found.places, found.names, found.before, found.after, strict=True)
        for corner, name, *pair in shots:
            if corner in shown:
                names[shown[corner]] += f", {name}"
                continue
            shown[corner] = len(names)
            names.append(name)
            for way, part in zip(("before", "after"), pair, strict=True):
                picture = self._shown(part, "PNG")
                with self._lock:
                    self.pictures[f"part-{shown[corner]}-{way}"] = picture
        self.look = {
            "id": secrets.token_hex(4),
            "names": names,
            "size": list(found.before[0].shape[:1:-1]),
            "kinds": kinds,
            "seconds": in_words(found.seconds),
        }

    def _restore(self, diagnosis: Diagnosis, kinds: list[str], strength: float) -> None:
        self.result = None
        height, width = self.photo.image.shape[-2:]
        pace = self._paced(diagnosis, kinds, pixels_of(height, width, calls(diagnosis, kinds)))
        tile = None if pace is None else pace.tile
        x, change = undone(self.photo, diagnosis, kinds, pace, strength, 0, tile, self.name)
        self.state = "writing"
        data, became, notes = answered(self.output, x, self.photo, self.data, False, change, kinds)
        shown = self._shown(x, "JPEG")
        if self._stop.is_set():
            raise Stopped
        with self._lock:
            self.pictures["after"] = shown
        self.result = {
            "id": secrets.token_hex(4),
            "name": self.output,
            "kinds": kinds if change else [],
            "lines": [became, *self.photo.notes, *notes],
            "data": data,
        }

    def _shown(self, image: Tensor, kind: str) -> bytes:
        """A picture that every browser shows, in the photo's own colours."""
        picture = Image.fromarray(to_uint8(image))
        if max(picture.size) > SHOWN:
            picture.thumbnail((SHOWN, SHOWN))
        file, profile = io.BytesIO(), self.photo.metadata.get("icc_profile")
        options: dict[str, Any] = {"icc_profile": profile} if space_of(profile) == "RGB" else {}
        if kind == "JPEG":
            options |= {"quality": 95, "subsampling": 0}
        picture.save(file, kind, **options)
        return file.getvalue()


def plain(name: str) -> str:
    """A file's name without folders and signs that no name should hold.

    Examples
    --------
    >>> plain("C:\\\\photos\\\\a\\n.jpg"), plain("-")
    ('a.jpg', 'photo')
    """
    name = "".join(c for c in re.split(r"[\\/]", name)[-1] if c.isprintable())
    suffix = Path(name).suffix[:20]
    name = name if len(name) < 200 else name[:150] + suffix
    return "photo" if name.strip(" .-") == "" else name
