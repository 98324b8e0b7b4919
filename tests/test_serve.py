"""The local page's server: who may ask, what is refused before it is read, one photo at a time."""

import http.client
import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage import data
from torch.nn import functional

from gdp_lite import restore_photo
from gdp_lite.cli import main
from gdp_lite.cli.parser import parser_for
from gdp_lite.serve import make_server
from gdp_lite.serve.handler import MOST
from gdp_lite.serve.paced import Paced, Stopped
from gdp_lite.serve.session import WORKING, plain


def smooth(x, sigma):
    """A denoiser that is cheap."""
    return 0.7 * x + 0.3 * functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Slow:
    """A denoiser whose calls wait to be let go, and are counted."""

    def __init__(self):
        self.calls, self.go = 0, threading.Event()

    def __call__(self, x, sigma):
        self.calls += 1
        assert self.go.wait(20)
        return smooth(x, sigma)


def photo_bytes(kind="JPEG", size=(128, 96), **options):
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize(size).save(file, kind, **options)
    return file.getvalue()


class Client:
    """Asks as the page does, unless told otherwise."""

    def __init__(self, server):
        self.server, self.home = server, f"127.0.0.1:{server.server_port}"

    def raw(self, method, path, body=None, key=None, **headers):
        """(status, headers, body); a header of None is left out."""
        own = {"Host": self.home, "Sec-Fetch-Site": "same-origin"}
        own |= {"Origin": f"http://{self.home}"} if method == "POST" else {}
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            own.setdefault("Content-Length", str(len(body)))
        elif method == "POST":
            own.setdefault("Content-Length", "0")
        connection = http.client.HTTPConnection(self.home, timeout=20)
        try:
            connection.putrequest(
                method, f"/{key or self.server.key}/{path}", skip_host=True, skip_accept_encoding=1
            )
            for name, value in own.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def send(self, content, name="photo.jpg", more=""):
        status, _, body = self.raw("POST", f"photo?name={name}{more}", content)
        return (status, json.loads(body)["token"]) if status == 201 else (status, body.decode())

    def post(self, token, what, **choice):
        body = json.dumps({"kinds": [], "strength": 1, "exposure": None, **choice}).encode()
        status, _, answer = self.raw("POST", f"photo/{token}/{what}", body)
        return status, answer.decode()

    def get(self, path):
        return self.raw("GET", path)

    def state(self, token):
        return json.loads(self.get(f"photo/{token}")[2])

    def wait(self, token, until=lambda told: told["state"] not in WORKING):
        for _ in range(2000):
            told = self.state(token)
            if until(told):
                return told
            time.sleep(0.01)
        raise AssertionError(told)


def serving(prior):
    server = make_server(prior=prior)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def client():
    server = serving(smooth)
    yield Client(server)
    server.shutdown()
    server.server_close()


@pytest.fixture
def slow():
    prior = Slow()
    server = serving(prior)
    client = Client(server)
    client.prior = prior
    yield client
    prior.go.set()
    server.shutdown()
    server.server_close()


# Who may ask


def test_only_this_machine_is_listened_to(client):
    assert client.server.server_address[0] == "127.0.0.1"
    assert client.server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("path", ["", "page.js", "paint.js", "page.css"])
def test_the_page_comes_whole_and_names_no_other_host(client, path):
    status, headers, body = client.get(path)
    assert status == 200
    assert b"http" not in body.replace(b"http-equiv", b"")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["Cache-Control"] == "no-store"
    if not path:
        assert f'data-most="{MOST}"'.encode() in body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),  # a name that was made to point here
        ({"Host": None}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),  # another port of this machine
        ({"key": "guessed"}, 404),
    ],
)
def test_another_page_is_refused(client, method, headers, status):
    told = client.raw(method, "photo" if method == "POST" else "", None, **headers)
    assert told[0] == status
    assert len(told[2].splitlines()) == 1
    assert client.server.session is None


def test_what_changes_something_must_say_where_it_comes_from(client):
    assert client.raw("POST", "photo", photo_bytes(), Origin=None)[0] == 403
    assert client.raw("GET", "", Origin=None, Sec_Fetch_Site="none")[0] == 200  # typed by a person


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "BREW"])
def test_other_methods_are_refused(client, method):
    assert client.raw(method, "")[0] == (501 if method == "BREW" else 405)


@pytest.mark.parametrize(
    "path", ["x", "page.html", "../page.js", "%2e%2e/handler.py", "photo", "photo/x/y/z", "//"]
)
def test_there_is_nothing_else(client, path):
    assert client.get(path)[0] == 404


# A photo comes in


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Length": str(MOST + 1)}, 413),
        ({"Content_Length": "9" * 18}, 413),
        ({"Content_Length": None}, 411),
        ({"Content_Length": None, "Transfer_Encoding": "chunked"}, 411),
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "many"}, 400),
    ],
)
def test_a_huge_upload_is_refused_before_it_is_read(client, headers, status):
    """No byte of it is ever sent here, so that a server that reads first would wait."""
    told = client.raw("POST", "photo?name=a.jpg", None, **headers)
    assert told[0] == status
    assert client.send(photo_bytes())[0] == 201


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        (b"a letter", "a.jpg", "a.jpg is no readable JPEG, PNG, WebP, TIFF, AVIF or HEIC picture"),
        (b"", "a.jpg", "a.jpg is no readable JPEG, PNG, WebP, TIFF, AVIF or HEIC picture"),
        (b"GIF89a", "a.gif", "a.gif is a GIF picture; JPEG, PNG, WebP, TIFF, AVIF and HEIC"),
        (photo_bytes()[:30], "b.jpg", "b.jpg"),
        (photo_bytes(), "b.txt", "b.restored.txt: the output must end in one of"),
    ],
)
def test_what_is_no_photo_gets_the_line_of_the_command(
    client, tmp_path, capsys, content, name, line
):
    status, told = client.send(content, name)
    assert status == 400
    assert told.startswith(line)
    assert len(told.splitlines()) == 1
    (tmp_path / name).write_bytes(content)
    assert main(["restore", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert said == f"gdp_lite: {told}"
    assert client.send(photo_bytes())[0] == 201


def test_a_body_that_ends_early_leaves_nothing(client):
    connection = http.client.HTTPConnection(client.home, timeout=20)
    connection.putrequest("POST", f"/{client.server.key}/photo?name=a.jpg", skip_host=True)
    for name, value in {"Host": client.home, "Origin": f"http://{client.home}"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", "100000")
    connection.endheaders(b"part")
    connection.close()
    for _ in range(500):
        if not client.server.receiving and client.server.session is None:
            break
        time.sleep(0.01)
    assert client.send(photo_bytes())[0] == 201


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/a.jpg", "a.jpg"),
        ("C:\\x\\b.png", "b.png"),
        ("-", "photo"),
        ("\x00\n", "photo"),
        ("ü ☃.jpg", "ü ☃.jpg"),
        ("a" * 300 + ".jpg", "a" * 150 + ".jpg"),
    ],
)
def test_names(name, kept):
    assert plain(name) == kept


# What is done with it


def test_a_photo_is_found_previewed_restored_and_saved_as_by_the_command(
    client, tmp_path, monkeypatch
):
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags[ExifTags.Base.Orientation] = 6
    content = photo_bytes(exif=tags.tobytes(), quality=93)
    _, token = client.send(content, "my%20photo.jpg")
    told = client.wait(token)
    assert told["name"] == "my photo.jpg"
    assert told["size"] == [96, 128]  # upright
    assert [one["kind"] for one in told["findings"]] == [
        *("light", "colour", "softness", "noise", "overlay", "jpeg")
    ]
    assert told["look"] is told["result"] is None

    choice = {"kinds": ["light", "noise"], "exposure": 0.5, "strength": 2}
    assert client.post(token, "preview", **choice)[0] == 202
    look = client.wait(token)["look"]
    assert look["kinds"] == ["light", "noise"]
    assert look["names"] == ["the noisiest part, the sharpest part, the middle"]  # it is small
    for number in range(len(look["names"])):
        pictures = [client.get(f"photo/{token}/part-{number}-{w}")[2] for w in ("before", "after")]
        before, after = (np.asarray(Image.open(io.BytesIO(p)), dtype=float) for p in pictures)
        assert before.shape == (*look["size"][::-1], 3)
        assert after.mean() > before.mean() + 5

    assert client.post(token, "restore", **choice)[0] == 202
    result = client.wait(token)["result"]
    assert result["name"] == "my photo.restored.jpg"
    status, headers, answer = client.get(f"photo/{token}/result")
    assert status == 200
    assert headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''my%20photo.restored.jpg"
    )
    monkeypatch.chdir(tmp_path)
    Path("my photo.jpg").write_bytes(content)
    restore_photo("my photo.jpg", only=["light", "noise"], exposure=0.5, strength=2, prior=smooth)
    assert answer == Path("my photo.restored.jpg").read_bytes()
    for way in ("before", "after"):
        picture = Image.open(io.BytesIO(client.get(f"photo/{token}/{way}")[2]))
        assert picture.size == (96, 128)


def test_three_parts_of_a_photo_that_has_them(client):
    _, token = client.send(photo_bytes(size=(800, 270)))
    client.wait(token)
    client.post(token, "preview", kinds=["light"], exposure=0.5)
    assert len(client.wait(token)["look"]["names"]) == 3
    assert client.get(f"photo/{token}/part-2-after")[0] == 200


def test_with_all_switches_off_it_is_a_copy(client):
    content = photo_bytes()
    _, token = client.send(content)
    client.wait(token)
    assert client.get(f"photo/{token}/result")[0] == 404
    client.post(token, "restore")
    result = client.wait(token)["result"]
    assert result["kinds"] == []
    assert "bit for bit" in result["lines"][0]
    assert client.get(f"photo/{token}/result")[2] == content


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        ({"kinds": ["blur"]}, "unknown kind 'blur'"),
        ({"kinds": "noise"}, "no choice"),
        ({"strength": 0}, "strength must be"),
        ({"strength": "nan"}, "strength must be"),
        ({"strength": None}, "no choice"),
        ({"exposure": 9}, "exposure must be"),
        ({"exposure": []}, "no choice"),
    ],
)
def test_choices_that_cannot_be(client, choice, line):
    _, token = client.send(photo_bytes())
    client.wait(token)
    status, told = client.post(token, "restore", **choice)
    assert status == 400
    assert line in told
    assert client.state(token)["state"] == "ready"


def test_cancel_ends_after_one_call_and_the_photo_stays(slow):
    _, token = slow.send(photo_bytes())
    slow.wait(token)
    slow.post(token, "restore", kinds=["noise"])
    for _ in range(1000):
        if slow.prior.calls:
            break
        time.sleep(0.01)
    assert slow.post(token, "restore", kinds=["noise"])[0] == 409
    assert slow.post(token, "cancel")[0] == 202
    assert slow.state(token)["stopping"]
    slow.prior.go.set()
    told = slow.wait(token)
    assert (slow.prior.calls, told["result"], told["error"]) == (1, None, "")
    slow.post(token, "restore", kinds=["noise"])
    assert slow.wait(token)["result"]["kinds"] == ["noise"]


def test_time_left_is_told_from_the_first_call_on(slow):
    _, token = slow.send(photo_bytes(size=(300, 200)))
    slow.wait(token)
    slow.post(token, "restore", kinds=["noise"])
    assert slow.state(token)["left"] is None
    slow.prior.go.set()
    shares = []
    slow.wait(token, lambda told: shares.append(told["share"]) or told["state"] not in WORKING)
    known = [share for share in shares if share is not None]
    assert known == sorted(known)
    assert max(known, default=0) <= 1


def test_pace():
    stop = threading.Event()
    pace = Paced(lambda x, sigma: time.sleep(0.05) or x, 1000, stop)
    assert pace.left is None
    x = np.zeros((1, 3, 10, 10))
    pace(x, 0.1)
    assert pace.share == 0.1
    assert 0.2 < pace.left < 1.5
    pace.tile(1, 2)
    assert pace.share == 0.5
    pace.tile(2, 2)
    assert (pace.share, pace.left) == (1.0, 0.0)
    stop.set()
    with pytest.raises(Stopped):
        pace(x, 0.1)


# What is painted


def layer(size=(128, 96), box=(32, 24, 64, 48), colour=(200, 60, 40, 255), mode="RGBA"):
    """What the page sends: a transparent PNG with a painted box."""
    picture, file = Image.new("RGBA", size), io.BytesIO()
    picture.paste(colour, box)
    picture.convert(mode).save(file, "PNG")
    return file.getvalue()


def grey_bytes(**options):
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((128, 96)).convert("L").save(file, "PNG", **options)
    return file.getvalue()


def kinds_of(told):
    return {one["kind"]: one for one in told["findings"]}


@pytest.mark.parametrize("shrink", [1, 2, 3.7])
def test_a_layer_becomes_the_mask_of_the_photo_as_shown(client, tmp_path, shrink):
    """Of a photo that is stored on its side; the same as the command line makes of that mask."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    content = photo_bytes("PNG", exif=tags.tobytes())
    _, token = client.send(content, "photo.png")
    assert client.wait(token)["size"] == [96, 128]
    small = round(96 / shrink), round(128 / shrink)
    box = [round(value / shrink) for value in (24, 32, 48, 64)]
    assert client.raw("POST", f"photo/{token}/missing", layer(small, box))[0] == 200
    told = client.state(token)
    found = kinds_of(told)["missing"]
    assert (told["state"], found["on"]) == ("ready", True)
    hole = client.server.session.diagnosis.findings["missing"].detail.mask.numpy() == 0
    rows, columns = np.nonzero(hole)
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert hole.sum() == (edges[2] - edges[0]) * (edges[3] - edges[1])
    assert edges == pytest.approx((24, 32, 48, 64), abs=shrink)

    assert client.post(token, "preview", kinds=["missing"])[0] == 202
    assert "most of what is covered" in client.wait(token)["look"]["names"][0]
    assert client.post(token, "restore", kinds=["missing"])[0] == 202
    assert client.wait(token)["result"]["kinds"] == ["missing"]
    answer = client.get(f"photo/{token}/result")[2]
    (tmp_path / "photo.png").write_bytes(content)
    Image.fromarray(255 * hole.astype(np.uint8)).save(tmp_path / "mask.png")
    report = restore_photo(
        tmp_path / "photo.png", only=["missing"], mask=tmp_path / "mask.png", prior=smooth
    )
    assert answer == Path(report.output).read_bytes()


def test_a_later_layer_takes_the_place_of_an_earlier_one_and_an_empty_body_of_both(client):
    _, token = client.send(photo_bytes())
    before = client.wait(token)["findings"]
    client.raw("POST", f"photo/{token}/missing", layer())
    assert "6.2%" in kinds_of(client.state(token))["missing"]["line"]
    client.raw("POST", f"photo/{token}/missing", layer(box=(0, 0, 64, 48)))
    assert "25.0%" in kinds_of(client.state(token))["missing"]["line"]
    assert client.raw("POST", f"photo/{token}/missing", b"")[0] == 200
    assert client.state(token)["findings"] == before


def test_strokes_on_a_grey_photo_become_its_colours(client):
    _, token = client.send(grey_bytes(), "old.png")
    told = client.wait(token)
    assert told["grey"]
    assert client.raw("POST", f"photo/{token}/grey", layer((64, 48), (16, 12, 32, 24)))[0] == 200
    found = kinds_of(client.state(token))["grey"]
    assert found["on"]
    assert found["line"].startswith("1 stroke of colour on 6.2% of the photo")
    client.post(token, "restore", kinds=["grey"])
    assert client.wait(token)["result"]["kinds"] == ["grey"]
    answer = client.get(f"photo/{token}/result")[2]
    after = np.asarray(Image.open(io.BytesIO(answer)).convert("RGB")).astype(int)
    assert (after[28:44, 36:60, 0] - after[28:44, 36:60, 2]).mean() > 20


def jpeg_layer():
    file = io.BytesIO()
    Image.new("RGB", (128, 96)).save(file, "JPEG")
    return file.getvalue()


SHAPE = "it must have the shape of the photo, 128 x 96, and be no larger"
LAYERS = {
    "another shape": ("missing", layer((64, 64)), f"what was painted is 64 x 64: {SHAPE}"),
    "on its side": ("missing", layer((96, 128)), f"what was painted is 96 x 128: {SHAPE}"),
    "larger": ("missing", layer((256, 192)), f"what was painted is 256 x 192: {SHAPE}"),
    "a JPEG": ("missing", jpeg_layer(), "what was painted is no PNG picture"),
    "a letter": ("missing", b"white", "what was painted is no PNG picture"),
    "cut": ("missing", layer()[:80], "what was painted is damaged"),
    "no alpha": ("missing", layer(mode="RGB"), "what was painted has no transparency"),
    "empty": ("missing", layer(colour=(0, 0, 0, 0)), "nothing is painted"),
    "faint": ("missing", layer(colour=(200, 60, 40, 100)), "nothing is painted"),
    "all": ("missing", layer(box=(0, 0, 128, 96)), "the mask that was painted is white everywhere"),
    "grey strokes": ("grey", layer(colour=(90, 90, 90, 255)), "they tell no colour"),
    "strokes all over": ("grey", layer(box=(0, 0, 128, 90)), "what was painted differs from the"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_cannot_be_used_is_one_line_and_nothing_is_painted(client, name):
    kind, content, line = LAYERS[name]
    _, token = client.send(grey_bytes(), "old.png")
    before = client.wait(token)["findings"]
    assert client.raw("POST", f"photo/{token}/{kind}", layer())[0] == 200
    status, _, told = client.raw("POST", f"photo/{token}/{kind}", content)
    assert status == 400
    assert line in told.decode()
    assert len(told.splitlines()) == 1
    told = client.state(token)
    assert (told["state"], told["findings"]) == ("ready", before)


def test_strokes_are_for_a_photo_without_colours(client):
    _, token = client.send(photo_bytes())
    assert not client.wait(token)["grey"]
    status, _, told = client.raw("POST", f"photo/{token}/grey", layer())
    assert status == 400
    assert told == b"this photo has colours: strokes are for a black-and-white one\n"


def test_a_layer_for_no_photo_or_of_another_page_is_refused(client):
    assert client.raw("POST", "photo/none/missing", layer())[0] == 410
    _, token = client.send(photo_bytes())
    client.wait(token)
    for headers in ({"Origin": "http://evil.example"}, {"Origin": None}, {"Host": "evil.example"}):
        assert client.raw("POST", f"photo/{token}/missing", layer(), **headers)[0] == 403
    assert client.raw("POST", f"photo/{token}/missing", layer(), key="guessed")[0] == 404
    large = client.raw("POST", f"photo/{token}/missing", None, Content_Length=str(MOST + 1))
    assert large[0] == 413
    assert "missing" not in kinds_of(client.state(token))
    assert client.raw("POST", f"photo/{token}/missing", layer())[0] == 200


def test_nothing_is_painted_while_something_is_done(slow):
    """No byte of it is sent here, so that a server that reads first would wait."""
    _, token = slow.send(photo_bytes())
    slow.wait(token)
    slow.post(token, "restore", kinds=["noise"])
    status, _, told = slow.raw("POST", f"photo/{token}/missing", None, Content_Length="1000")
    assert status == 409
    assert told == b"something is being done already: wait, or cancel it\n"
    slow.prior.go.set()
    assert slow.wait(token)["result"]["kinds"] == ["noise"]
    assert slow.raw("POST", f"photo/{token}/missing", layer())[0] == 200


# Two tabs


def test_a_second_tab_does_not_break_the_first(slow):
    _, first = slow.send(photo_bytes())
    slow.wait(first)
    slow.post(first, "restore", kinds=["noise"])
    status, line = slow.send(photo_bytes(), "other.jpg")
    assert (status, line) == (409, "another tab of this page holds a photo\n")
    assert slow.state(first)["name"] == "photo.jpg"
    slow.prior.go.set()
    assert slow.wait(first)["result"]
    status, second = slow.send(photo_bytes(), "other.jpg", "&take=1")  # a person says so
    assert status == 201
    assert slow.get(f"photo/{first}")[0] == 410
    assert slow.post(first, "restore")[0] == 410
    status, third = slow.send(photo_bytes(), "third.jpg", f"&instead={second}")  # the same tab
    assert slow.state(third)["name"] == "third.jpg"


def test_a_tab_that_is_closed_gives_its_photo_back(slow):
    _, token = slow.send(photo_bytes())
    slow.wait(token)
    slow.post(token, "restore", kinds=["noise"])
    assert slow.post(token, "release")[0] == 202
    assert slow.server.session is None
    slow.prior.go.set()
    assert slow.send(photo_bytes())[0] == 201
    assert slow.prior.calls <= 1


def test_memory_that_is_used_up_is_one_line(monkeypatch):
    def fail(x, sigma):
        raise RuntimeError("can't allocate\nTrace")

    server = serving(fail)
    client = Client(server)
    _, token = client.send(photo_bytes())
    client.wait(token)
    client.post(token, "restore", kinds=["noise"])
    assert client.wait(token)["error"] == "photo.jpg could not be restored: can't allocate"
    server.shutdown()
    server.server_close()


def test_a_mistake_of_ours_is_one_line(client, monkeypatch):
    monkeypatch.setattr("gdp_lite.serve.session.Session.as_json", lambda self: 1 / 0)
    _, token = client.send(photo_bytes())
    status, _, body = client.get(f"photo/{token}")
    assert (status, body) == (500, b"gdp_lite failed: ZeroDivisionError\n")


# The command


def test_the_command_serves_until_it_is_stopped(monkeypatch, capsys):
    from gdp_lite import serve

    def until(server, *arguments):
        assert server.server_address[0] == "127.0.0.1"
        raise KeyboardInterrupt

    monkeypatch.setattr(serve.Server, "serve_forever", until)
    monkeypatch.setattr(serve, "loaded", lambda *a: smooth)
    monkeypatch.setattr(serve.webbrowser, "open", lambda url: pytest.fail("no browser was asked"))
    assert main(["serve", "--no-browser"]) == 0
    output, said = capsys.readouterr()
    assert output == ""
    assert said.startswith("http://127.0.0.1:")
    assert said.endswith("stopped\n")


def test_a_port_that_is_taken_is_one_line(client, capsys):
    assert main(["serve", "--no-browser", "--port", str(client.server.server_port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"gdp_lite: port {client.server.server_port} cannot be used: ")
    assert len(said.splitlines()) == 1
    with pytest.raises(ValueError, match="--port: must be a whole number from 0 to 65535"):
        parser_for(False).parse_args(["serve", "--port", "70000"])
