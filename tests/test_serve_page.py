"""The local page in a real browser: a photo dropped, found, previewed, restored, compared, saved.

With the bundled prior. Needs a Chromium, like tests/test_browser.py.
"""

import http.server
import threading

import numpy as np
import pytest
from PIL import Image
from skimage import data
from test_browser import CHROMIUM, api, axe, browser  # noqa: F401

from gdp_lite import restore_photo
from gdp_lite.serve import make_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: set CHROMIUM or put it on the PATH"),
]
FOUND = ("light", "colour", "softness", "noise", "overlay", "jpeg")
MINUTES = 240_000  # milliseconds: the network on a busy machine


def noisy(path, size=(160, 120)):
    """A dim and noisy photo."""
    light = np.asarray(Image.fromarray(data.astronaut()).resize(size), dtype=float)
    grain = 9 * np.random.default_rng(0).normal(size=light.shape)
    Image.fromarray((0.45 * light + grain).clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    noisy(place / "night.jpg")
    noisy(place / "large.jpg", (900, 675))
    (place / "letter.jpg").write_text("no photo")
    return place


@pytest.fixture
def server():
    with make_server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        if server.session is not None:
            server.session.close()
        server.shutdown()


@pytest.fixture
def tab(browser, server):  # noqa: F811
    """Opens the page in a tab that lists complaints, and requests to anything but its server."""
    contexts = []

    def open_tab(width=1280, colours="light", touch=False):
        size = {"width": width, "height": 900}
        context = browser.new_context(
            viewport=size, color_scheme=colours, accept_downloads=True, has_touch=touch
        )
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "request",
            lambda r: (
                r.url.startswith((server.url, "data:")) or page.complaints.append(f"asked {r.url}")
            ),
        )
        page.goto(server.url)
        return page

    yield open_tab
    for context in contexts:
        context.close()


def serious(page, script):
    """What axe-core finds, and whatever is wider than the screen."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(script)
    rules = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    found = [f"{rule['id']}: {node['html'][:120]}" for rule in rules for node in rule["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than the screen")
    return found


def parts_shown(page):
    """Whether every picture has arrived, and none is the same as its neighbour."""
    return page.evaluate(
        "[...document.querySelectorAll('.pair')].every(p => [...p.querySelectorAll('img')]"
        ".every(i => i.complete && i.naturalWidth > 0 && i.checkVisibility()))"
    )


@pytest.mark.parametrize(("width", "colours"), [(1280, "light"), (390, "dark")])
def test_a_photo_from_the_drop_to_the_saved_file(folder, tab, axe, width, colours):  # noqa: F811
    page = tab(width, colours)
    assert serious(page, axe) == []
    page.set_input_files("#file", folder / "night.jpg")
    page.wait_for_selector("#kind-noise")
    switches = page.locator("#findings input[role=switch]")
    assert [s.get_attribute("name") for s in switches.all()] == [*FOUND]
    assert page.locator("#kind-noise").is_checked()
    assert not page.locator("#kind-softness").is_checked()
    assert "noise of" in page.locator("#line-noise").inner_text()
    assert page.locator("#name").inner_text() == "night.jpg, 160 × 120"
    page.locator("summary").click()
    page.fill("#strength", "2")
    assert serious(page, axe) == []

    page.click("#preview")
    page.wait_for_selector("#look:not([hidden])", timeout=MINUTES)
    assert page.locator("#parts .view").count() == 1  # it is small: all three are the same
    page.wait_for_function("() => [...document.images].every(i => i.complete && i.naturalWidth)")
    assert parts_shown(page)
    assert "The whole would take about" in page.locator("#look-text").inner_text()

    page.click("#restore")
    page.wait_for_selector("#result:not([hidden])", timeout=MINUTES)
    page.wait_for_function("() => [...document.images].every(i => i.complete && i.naturalWidth)")
    assert "noise" in page.evaluate("document.querySelector('#whole img').alt")
    assert page.locator("#status").inner_text() == "Restored. Compare, and save it."
    cut = "getComputedStyle(document.querySelector('#whole .pair img + img')).clipPath"
    line = page.locator("#whole input[type=range]")
    states = [page.evaluate(cut)]
    line.focus()
    page.keyboard.press("ArrowRight")
    assert line.get_attribute("aria-valuetext") == "51 percent photo"
    states.append(page.evaluate(cut))
    box = line.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.up()
    states.append(page.evaluate(cut))
    page.check("#full")
    assert page.evaluate("document.querySelector('#whole img').offsetWidth") == 160
    assert len(set(states)) == 3
    assert serious(page, axe) == []

    with page.expect_download() as saved:
        page.click("#save")
    assert saved.value.suggested_filename == "night.restored.jpg"
    undone = page.evaluate(
        "[...document.querySelectorAll('#findings input:checked')].map(e => e.name)"
    )
    expected = folder / f"expected-{width}.jpg"
    restore_photo(folder / "night.jpg", expected, only=undone, strength=2)
    assert saved.value.path().read_bytes() == expected.read_bytes()
    assert page.complaints == []
    assert len(list(folder.iterdir())) <= 5, "the page wrote a file beside the photo"


def test_by_the_keyboard_alone(folder, tab):
    page = tab()
    page.on("filechooser", lambda chooser: None)  # asked for early: the browser takes its time
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(folder / "night.jpg")
    page.wait_for_selector("#kind-noise")
    order = []
    page.focus("#file")
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    kinds = [f"kind-{kind}" for kind in FOUND]
    assert order == ["paint-missing", *kinds, "SUMMARY", "preview", "restore"]
    page.focus("#kind-noise")
    page.keyboard.press("Space")
    assert not page.locator("#kind-noise").is_checked()
    page.uncheck("#kind-light")
    page.focus("#restore")
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert "bit for bit" in page.locator("#lines").inner_text()
    assert page.evaluate("document.activeElement.id") == "result-title"
    assert page.complaints == []


def drop(page, content, name):
    """As from the desktop: an event with a file in it."""
    page.evaluate(
        """([bytes, name]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name));
          for (const type of ['dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type,
              {dataTransfer: data, bubbles: true, cancelable: true}));
          }
        }""",
        [list(content), name],
    )


def test_a_dropped_file_that_is_no_photo_gets_one_line_and_the_next_is_taken(folder, tab, server):
    page = tab()
    drop(page, b"a letter", "letter.jpg")
    page.wait_for_selector("#error:not([hidden])")
    line = "letter.jpg is no readable JPEG, PNG, WebP, TIFF, AVIF or HEIC picture"
    assert page.locator("#error").inner_text().strip() == line
    assert page.locator("#photo").is_hidden()
    drop(page, (folder / "night.jpg").read_bytes(), "night.jpg")
    page.wait_for_selector("#kind-noise")
    assert page.locator("#error").is_hidden()
    page.evaluate("document.body.dataset.most = 10")
    drop(page, b"x" * 11, "huge.jpg")
    page.wait_for_selector("#error:not([hidden])")
    assert "that is no photo" in page.locator("#error").inner_text()
    assert page.locator("#name").inner_text() == "night.jpg, 160 × 120", "the other one stays"


def stamped(path, size=(160, 120)):
    """A photo with a white square over it."""
    picture = Image.fromarray(data.astronaut()).resize(size)
    picture.paste((255, 255, 255), (100, 80, 120, 100))
    picture.save(path)
    return path


def on_screen(page, x, y):
    """Where a pixel of the 160 x 120 photo is shown."""
    page.locator("#before").scroll_into_view_if_needed()
    box = page.locator("#before").bounding_box()
    return box["x"] + (x + 0.5) * box["width"] / 160, box["y"] + (y + 0.5) * box["height"] / 120


def open_painted(page, path, kind):
    page.set_input_files("#file", path)
    page.wait_for_selector("#kind-noise")
    page.wait_for_function("document.getElementById('before').naturalWidth > 1")
    page.focus(f"#paint-{kind}")
    page.keyboard.press("Enter")
    assert page.locator(f"#paint-{kind}").get_attribute("aria-pressed") == "true"
    over = page.locator(f"#layer-{kind}").bounding_box()
    under = page.locator("#before").bounding_box()
    assert over == pytest.approx(under, abs=0.1), "the layer lies on the photo"


def by_mouse(page, points):
    for number, point in enumerate(points):
        page.mouse.move(*on_screen(page, *point))
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def by_touch(page, points):
    session = page.context.new_cdp_session(page)
    for number, point in enumerate(points):
        x, y = on_screen(page, *point)
        what = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def share(page):
    """Of the photo that is missing, as the page says once it has sent all, percent."""
    page.evaluate("() => sending")
    return float(page.locator("#line-missing").inner_text().split("%")[0])


def restored(page):
    """What is saved once all switches but those of painted kinds are off, (H, W, 3)."""
    for box in page.locator("#findings input").all():
        box.set_checked(box.get_attribute("name") in ("missing", "grey"))
    page.click("#restore")
    page.wait_for_selector("#result:not([hidden])", timeout=MINUTES)
    with page.expect_download() as saved:
        page.click("#save")
    return np.asarray(Image.open(saved.value.path()).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("width", "colours", "paint"),
    [(1280, "light", by_mouse), (390, "dark", by_touch)],
    ids=["mouse", "touch"],
)
def test_what_is_painted_over_is_filled_and_nothing_else_changes(
    tmp_path,
    tab,
    axe,  # noqa: F811
    server,
    width,
    colours,
    paint,
):
    path = stamped(tmp_path / "stamped.png")
    page = tab(width, colours, touch=paint is by_touch)
    open_painted(page, path, "missing")
    assert page.locator("#paint-grey").is_hidden(), "it has colours"
    page.fill("#brush", "20")
    scrolled = page.evaluate("scrollY")
    paint(page, [(10, 10), (30, 10)])
    page.wait_for_selector("#kind-missing")
    assert page.locator("#kind-missing").is_checked()
    assert page.evaluate("scrollY") == scrolled, "a finger that paints does not scroll"
    page.click("#undo")
    page.wait_for_selector("#kind-missing", state="detached")

    other = not page.is_checked("#kind-softness")
    page.set_checked("#kind-softness", other)
    rows = range(76, 105, 4)
    paint(page, [(x, y) for y in rows for x in (97, 122)])
    page.wait_for_selector("#kind-missing")
    shares = [share(page)]
    for erase in (True, False):
        page.set_checked("#eraser", erase)
        paint(page, [(110, 80), (110, 100)])
        shares.append(share(page))
    assert shares[1] < shares[0] == shares[2], "erased, and painted again"
    assert page.is_checked("#kind-softness") == other, "a switch stays as it was put"
    assert serious(page, axe) == []

    hole = server.session.diagnosis.findings["missing"].detail.mask.numpy() == 0
    assert hole[80:100, 100:120].all(), "the stamp is covered"
    assert not np.delete(hole, np.s_[65:116], 0).any(), "no more than what was painted"
    assert not np.delete(hole, np.s_[86:134], 1).any()
    before, after = np.asarray(Image.open(path)).astype(int), restored(page)
    assert np.array_equal(after[~hole], before[~hole])
    assert (before - after)[80:100, 100:120].mean() > 30, "the white square is gone"
    assert page.complaints == []
    assert [file.name for file in tmp_path.iterdir()] == ["stamped.png"]


def test_colours_are_painted_into_a_grey_photo(tmp_path, tab, axe):  # noqa: F811
    path = tmp_path / "old.png"
    Image.fromarray(data.astronaut()).resize((160, 120)).convert("L").save(path)
    page = tab(390)
    open_painted(page, path, "grey")
    assert serious(page, axe) == []
    page.fill("#colour", "#808080")
    by_mouse(page, [(20, 20), (60, 20)])
    page.wait_for_selector("#error:not([hidden])")
    assert "they tell no colour" in page.locator("#error").inner_text()
    page.click("#restore")  # not without what is painted
    page.wait_for_timeout(300)
    assert page.locator("#result").is_hidden()
    page.click("#wipe")
    page.wait_for_selector("#error", state="hidden")
    page.fill("#colour", "#c04040")
    by_mouse(page, [(20, 20), (60, 20)])
    page.wait_for_selector("#kind-grey")
    assert "1 stroke of colour" in page.locator("#line-grey").inner_text()
    after = restored(page)
    assert (after[15:25, 25:55, 0] - after[15:25, 25:55, 2]).mean() > 20
    refused = "the server responded with a status of 400"
    assert [line for line in page.complaints if refused not in line] == []


def test_cancel_and_a_second_tab(folder, tab, server):
    first = tab()
    first.set_input_files("#file", folder / "large.jpg")
    first.wait_for_selector("#kind-noise")
    first.click("#restore")
    first.wait_for_selector("#cancel:not([hidden])")
    second = tab(390)
    second.set_input_files("#file", folder / "night.jpg")
    second.wait_for_selector("#take:not([hidden])")
    assert "another tab" in second.locator("#error").inner_text()
    left = "() => document.getElementById('left').textContent.endsWith(' left')"
    first.wait_for_function(left, timeout=MINUTES)
    first.click("#cancel")
    first.wait_for_selector("#work", state="hidden", timeout=MINUTES)
    assert first.locator("#status").inner_text() == "Stopped. Nothing was changed."
    assert first.locator("#restore").is_enabled()
    second.click("#take")
    second.wait_for_selector("#kind-noise")
    first.click("#preview")
    first.wait_for_selector("#error:not([hidden])")
    assert "another one took its place" in first.locator("#error").inner_text()
    second.goto("about:blank")  # closed: the photo is gone
    for _ in range(100):
        if server.session is None:
            break
        second.wait_for_timeout(50)
    assert server.session is None


def test_a_page_of_another_site_cannot_use_it(folder, tab, browser, server):  # noqa: F811
    """Even one that knows the address: requests are refused, and no frame shows the page."""
    own = tab()
    own.set_input_files("#file", folder / "night.jpg")
    own.wait_for_selector("#kind-noise")
    token = server.session.token

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://localhost:{other.server_port}/")
        found = page.evaluate(
            """async (url) => {
              const out = [];
              for (const mode of ['cors', 'no-cors']) {
                for (const method of ['GET', 'POST']) {
                  try {
                    const answer = await fetch(url, {method, mode});
                    out.push(answer.type + ' ' + answer.status);
                  } catch { out.push('refused'); }
                }
              }
              const image = new Image();
              image.src = url.replace('/cancel', '/before');
              out.push(await image.decode().then(() => 'seen', () => 'refused'));
              const frame = document.createElement('iframe');
              frame.src = url.split('photo')[0];
              document.body.append(frame);
              await new Promise(done => { frame.onload = done; setTimeout(done, 2000); });
              return out;
            }""",
            f"{server.url}photo/{token}/release",
        )
        inside = [f for f in page.frames if f.parent_frame]
        assert all(not f.locator("#file").count() for f in inside)
        assert not any("200" in one or "202" in one or one == "seen" for one in found)
        context.close()
        other.shutdown()
    assert server.session is not None
    assert server.session.token == token
