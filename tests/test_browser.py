"""The built book in a real browser, with the network cut: what a reader gets from a memory stick.

Needs a Chromium (CHROMIUM, or on the PATH) and _build/html from the README's first command.
"""

import functools
import gzip
import http.server
import io
import itertools
import os
import re
import runpy
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
drawn = runpy.run_path(str(ROOT / "book" / "_ext" / "weight.py"))["drawn"]
START = HTML / "index.html"  # only sends the reader on to the first page
PAGES = [
    str(path.relative_to(HTML))
    for path in sorted(HTML.rglob("*.html"))
    if path != START and path.parent.name != "_static"
]
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
AXE = "axe-core@4.14.1"  # for these tests only: not a part of the book

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PAGES, reason="no built book in _build/html"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: set CHROMIUM or put it on the PATH"),
]


# Notes that a second frame was there, for however short a time on a busy machine.
NEXT_SEEN = """() => {
    window.nextSeen = false;
    new MutationObserver(() => {
        window.nextSeen ||= document.querySelector(".gdp-next") !== null;
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""

# Top and bottom of a part of a figure, on the screen.
SPAN = """(figure, what) => {
    const box = figure.querySelector(what).getBoundingClientRect();
    return [box.top, box.bottom];
}"""


@pytest.fixture(scope="module")
def browser():
    quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
    quiet += ["--disable-sync", "--no-first-run"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet.append("--no-sandbox")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


def open_page(browser, address):
    """A page that lists its complaints and its requests to other hosts, all of which fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.complaints, page.strangers = [], []

    def on_request(request):
        url = urlparse(request.url)
        if url.scheme not in ("file", "data", "blob") and url.hostname != "127.0.0.1":
            page.strangers.append(request.url)

    context.route(re.compile(r"^(?!file:|data:|blob:|http://127\.0\.0\.1)"), lambda r: r.abort())
    page.on("request", on_request)
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.evaluate("window.MathJax?.startup?.promise?.then(() => 0)")
    return page


@pytest.fixture(scope="module", params=PAGES)
def page(request, browser):
    page = open_page(browser, (HTML / request.param).as_uri())
    page.name = request.param
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script of axe-core, kept in the user's cache between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gdp-lite-tests"
    script = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if not npm:
            pytest.skip(f"{AXE} is not in {cache}, and there is no npm to fetch it")
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", cache, AXE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode or not script.is_file():
            pytest.skip(f"npm could not fetch {AXE}: {done.stderr.strip()[-200:]}")
    return script.read_text(encoding="utf-8")


def test_loads_without_errors(page):
    assert page.complaints == []


def test_asks_no_other_host(page):
    assert page.strangers == []


def test_pictures_are_there_and_described(page):
    """Those further down, too, which are loaded when they come near."""
    page.eval_on_selector_all("img", "all => all.forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    broken = page.eval_on_selector_all(
        "img", "all => all.filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 99))"
    )
    assert broken == []
    assert page.locator("img:not([alt])").count() == 0


def test_maths_is_rendered(page):
    """Every formula is set, without an error, and has its markup for screen readers."""
    formulas = page.locator(".math").count()
    assert page.locator(".math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, mjx-container [style*='color: red']").count() == 0
    assert (
        page.locator("mjx-container > mjx-assistive-mml > math").count()
        == page.locator("mjx-container").count()
    )
    assert page.locator("mjx-container mjx-utext").count() == 0, "a character without a font"


def test_nothing_is_wider_than_the_screen(page):
    """Whatever is wide scrolls in itself, from its beginning: the page does not scroll sideways,
    and nothing is cut off, on the right or on the left, but by a window on a part of it."""
    sticks_out = """() => {
      const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX) ||
        e.matches('.bd-sidebar-primary, .bd-sidebar-secondary, .gdp-pair, .gdp-panel > div, ' +
          'mjx-assistive-mml') ||
        scrolls(e.parentElement));
      return [...document.querySelectorAll('.bd-main *')].filter(e =>
        (e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e) ||
          e.getBoundingClientRect().left < -1 &&
          !e.closest('.gdp-pair, .gdp-panel > div, mjx-assistive-mml')) &&
        e.checkVisibility()).map(e => e.tagName + '.' + e.className).slice(0, 5)}"""
    for width in (390, 1920, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(30):  # sidebars take a moment to their new places
            if page.evaluate(sticks_out) == []:
                break
            page.wait_for_timeout(100)
        assert page.evaluate(sticks_out) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_does_not_stop_at_every_formula(page):
    """Nothing is to be done there; a wide formula on a line of its own is scrolled by it."""
    assert page.locator("mjx-container[display]:not([tabindex='0'])").count() == 0
    page.wait_for_function("""() => [...document.querySelectorAll('mjx-container:not([display])')]
      .every(e => e.tabIndex == -1 || e.scrollWidth > e.clientWidth + 14)""")


def test_code_fits_beside_the_contents(page):
    """On a desk no line of code is scrolled for: a chapter's have 80 characters at most."""
    too_wide = """() => [...document.querySelectorAll('.bd-article pre')].filter(
      e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"""
    folds = page.locator("details:not([open])").element_handles()
    for fold in folds:
        fold.evaluate("e => e.open = true")
    for width in (1024, 1440, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(30):
            if page.evaluate(too_wide) == []:
                break
            page.wait_for_timeout(100)
        assert page.evaluate(too_wide) == []
    for fold in folds:
        fold.evaluate("e => e.open = false")


def test_figures_are_numbered(page):
    """Every output with a picture, one after the other, by chapter."""
    shown = page.locator(".cell_output :is(img, figure.gdp-live)").count()
    numbers = page.locator(".cell_output figcaption .caption-number").all_text_contents()
    assert bool(numbers) == bool(shown)
    assert page.locator(".cell_output img:not(figure:has(> figcaption) img)").count() == 0
    if numbers:
        chapter = page.locator("h1 .section-number").first.inner_text().strip(" .")
        assert [n.strip() for n in numbers] == [
            f"Figure {chapter}.{k + 1}" for k in range(len(numbers))
        ]


def test_plots_are_legible_on_a_phone(page):
    """Their smallest letters are shown with ten pixels at least. Plots that stand beside each other
    have their words below them, as text."""
    page.set_viewport_size({"width": 390, "height": 844})
    shown = page.eval_on_selector_all(
        ".cell_output figure > img[src$='.png'], figure.drawing .gdp-cell:only-child img",
        "all => all.filter(i => i.checkVisibility()).map(i => [i.src.split('/').pop(), "
        "i.getBoundingClientRect().width / i.getAttribute('width')])",
    )
    notebook = ROOT / Path(page.name).with_suffix(".ipynb")
    plots = drawn(notebook) if notebook.is_file() else {}
    small = [(name, plots[name][0] * scale) for name, scale in shown if name in plots]
    assert len(small) == len([name for name, _ in shown if name.endswith(".png")])
    assert [(name, letter) for name, letter in small if letter < 9.9] == []
    small = """all => all.filter(i => i.checkVisibility()).map(i => [i.alt.slice(0, 40),
      i.getBoundingClientRect().width / i.getAttribute('width')])"""
    moving = page.eval_on_selector_all("figure.drawing .gdp-cell:only-child img", small)
    assert [(name, scale) for name, scale in moving if scale < 0.915] == [], "letters of 11 pixels"
    several = "figure.drawing .gdp-row:visible .gdp-cell:not(:only-child) > div"
    assert all(words.strip() for words in page.locator(several).all_inner_texts())
    page.set_viewport_size({"width": 1280, "height": 900})


def test_photos_are_enlarged_twice_at_most(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.eval_on_selector_all("img", "all => all.forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    widths = page.eval_on_selector_all(
        "figure.gdp-live:not(.drawing *) img",
        "all => all.filter(i => i.checkVisibility()).map(i => [i.src.slice(-20), "
        "i.naturalWidth, i.getBoundingClientRect().width])",
    )
    assert [told for told in widths if told[2] > 2 * told[1] + 1] == []
    page.set_viewport_size({"width": 1280, "height": 900})


def test_plots_are_dark_in_the_dark(page):
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    filters = page.eval_on_selector_all(
        ".cell_output img",
        "all => all.map(i => [/\\.(png|svg)$/.test(i.src) || "
        "i.matches('.drawing *, .stacked .gdp-cell:last-child *'), "
        "getComputedStyle(i).filter.startsWith('invert')])",
    )
    cards = page.eval_on_selector_all(
        ".bd-article img",
        "all => all.filter(i => !/rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(i)"
        ".backgroundColor)).map(i => i.src.slice(-30))",
    )
    page.emulate_media(color_scheme="light")
    assert [drawn for drawn, _ in filters] == [turned for _, turned in filters]
    assert cards == [], "on a white card"


def test_rows_of_photos_are_legible_on_a_phone(page):
    """Titles are text of 10 pixels and more; pictures beside each other fill the screen: two, or
    all of a row where the columns say something, too."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(100)
    letters = page.eval_on_selector_all(
        ".gdp-panel > span", "all => all.map(e => [e.textContent, parseFloat("
        "getComputedStyle(e).fontSize)])"
    )  # fmt: skip
    assert [told for told in letters if told[1] < 10 or not told[0].strip()] == []
    for row in page.locator(".gdp-panels").element_handles():
        lefts = row.eval_on_selector_all(
            ".gdp-panel > div", "all => all.map(e => Math.round(e.getBoundingClientRect().left))"
        )
        widths = row.eval_on_selector_all(
            ".gdp-panel > div", "all => all.map(e => e.getBoundingClientRect().width)"
        )
        few = int(row.evaluate("e => e.style.getPropertyValue('--few')"))
        assert len(set(lefts)) <= few or min(widths) < 0.9 * max(widths), "narrow ones are centred"
        assert max(widths) > (150 if few == 2 else 60)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_what_moves_a_figure_hides_none_of_it_on_a_phone(page):
    """It stands above the pictures, and stays in view while they are."""
    page.set_viewport_size({"width": 390, "height": 844})
    for figure in page.locator("figure.gdp-live:visible:has(.gdp-row)").element_handles():
        figure.evaluate(
            "f => scrollBy({top: f.getBoundingClientRect().top - 200, behavior: 'instant'})"
        )
        bar = figure.evaluate(SPAN, ".gdp-bar, form")
        rows = figure.evaluate(SPAN, ".gdp-row:not([hidden])")
        assert bar[1] <= rows[0] + 1, "it lies over the top of the pictures"
        figure.evaluate(
            "f => scrollBy({top: f.querySelector('.gdp-row:not([hidden])').getBoundingClientRect()"
            ".bottom - 150, behavior: 'instant'})"
        )
        assert figure.evaluate(SPAN, ".gdp-bar, form")[1] > 40, "it is scrolled away"
    page.set_viewport_size({"width": 1280, "height": 900})


def test_words_in_tables_are_whole_on_a_phone(page):
    """A name of the code is broken only where it is wider than a line."""
    page.set_viewport_size({"width": 390, "height": 844})
    broken = page.eval_on_selector_all(
        ".bd-article table.table:not(details *) code .pre",
        "all => all.filter(e => e.getClientRects().length > 1 && !/[ =]/.test(e.textContent) "
        "&& e.textContent.length <= 22).map(e => e.textContent)",
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    assert broken == []


def test_rows_of_photos_are_dark_in_the_dark(page):
    """Between them is the page, and no white of the file's margins is seen at their rims."""
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    page.eval_on_selector_all("img", "all => all.forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    for row in page.locator(".gdp-panels:visible").element_handles():
        panel = row.query_selector(".gdp-panel:not(:only-child) > div")
        if panel is None:
            continue
        panel.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
        box = panel.bounding_box()
        around = {k: box[k] - 6 for k in ("x", "y")} | {k: box[k] + 12 for k in ("width", "height")}
        shot = Image.open(io.BytesIO(page.screenshot(clip=around))).convert("L")
        grey = np.asarray(shot, float)
        assert grey[8:-8, -4].max() < 60, "right of it is the page"
        for outer, inner in ((grey[8:-8, 6], grey[8:-8, 9]), (grey[6, 8:-8], grey[9, 8:-8])):
            assert outer.mean() - inner.mean() < 30
    page.emulate_media(color_scheme="light")


def test_a_slider_plays_to_its_end(page):
    """In between, two frames are seen at once."""
    bars = page.locator(".gdp-bar:visible")
    if not bars.count():
        assert page.locator(".gdp-range:visible").count() == 0
        return
    bar = bars.first
    button, control = bar.locator("button"), bar.locator("input")
    last = int(control.get_attribute("max"))
    control.evaluate("(e, k) => { e.value = k; e.dispatchEvent(new Event('input')) }", last - 1)
    page.evaluate(NEXT_SEEN)
    button.click()
    page.wait_for_function("window.nextSeen")
    page.wait_for_function(
        "e => e.getAttribute('aria-pressed') == 'false'", arg=button.element_handle()
    )
    assert control.input_value() == str(last)
    figure = page.locator("figure.gdp-live:has(.gdp-bar)").first
    assert figure.locator(".gdp-row:visible").count() == 1
    control.evaluate("e => { e.value = 0; e.dispatchEvent(new Event('input')) }")


def test_internal_links_lead_somewhere(page):
    links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    for link in sorted(set(links)):
        address, fragment = urldefrag(link)
        if not address.startswith("file:"):
            assert address.startswith("https://"), link
            continue
        target = Path(url2pathname(urlparse(address).path))
        assert target.is_file(), link
        if fragment:
            text = target.read_text(encoding="utf-8")
            assert re.search(f'(id|name)="{re.escape(unquote(fragment))}"', text), link


SEEN = """f => [...f.querySelectorAll('img')].filter(i => i.checkVisibility())
  .map(i => [i.src, getComputedStyle(i).clipPath, i.alt])"""


def test_figures_move(page):
    """Every one of them, by the keyboard and by the mouse, and says what it shows."""
    folds = page.locator("details:not([open])").element_handles()
    for fold in folds:  # a figure may be a folded answer
        fold.evaluate("e => e.open = true")
    for figure in page.locator("figure.gdp-live").all():
        inputs = figure.locator("input")
        states = [figure.evaluate(SEEN)]
        inputs.first.focus()
        page.keyboard.press("ArrowRight")
        states.append(figure.evaluate(SEEN))
        box = inputs.last.bounding_box()
        inputs.last.click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
        states.append(figure.evaluate(SEEN))
        pictures = [[picture[:2] for picture in state] for state in states]
        assert all(old != new for old, new in itertools.combinations(pictures, 2))
        words = [[alt for *_, alt in state if alt] for state in states]
        assert all(words)
        if figure.locator(".gdp-pair").count():
            assert inputs.get_attribute("aria-valuetext").startswith("9")
        else:
            assert all(old != new for old, new in itertools.combinations(words, 2))
        if figure.locator("output").count():
            title = figure.locator("output").inner_text()
            assert title == inputs.get_attribute("aria-valuetext")
    for fold in folds:
        fold.evaluate("e => e.open = false")


def test_the_start_page_sends_on(browser):
    page = open_page(browser, (HTML / "book" / "index.html").as_uri())
    first = page.title()
    page.goto(START.as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.title() == first
    page.context.close()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080), (390, 844)])
def test_the_landing_page_stands_on_one_screen(browser, width, height):
    """What one learns, the first photo to drag and the ways in; on a phone, all but the last."""
    page = open_page(browser, (HTML / "book" / "index.html").as_uri())
    page.set_viewport_size({"width": width, "height": height})
    first = "section:first-of-type > .sd-container-fluid figure.gdp-live"  # not of real photos
    for what in ("ul", first) + (() if width < 600 else (".sd-card",)):
        bottoms = page.eval_on_selector_all(
            f".bd-article {what}", "all => all.map(e => e.getBoundingClientRect().bottom)"
        )
        assert bottoms
        assert max(bottoms) <= height, what
    page.context.close()


def test_a_reader_without_script_sees_the_first_picture(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((HTML / "book" / "index.html").as_uri())
    assert page.locator("figure.gdp-live").count() >= 1, "the landing page has nothing to drag"
    assert page.locator("figure.gdp-live img").first.is_visible()
    context.close()


def test_prints_dark_on_white_with_all_open(page):
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    page.emulate_media(color_scheme="dark", media="print")
    page.wait_for_function("document.documentElement.dataset.theme == 'light'")
    assert page.locator("details:not([open])").count() == 0
    fading = "all => all.filter(e => e.getAnimations().length).map(e => e.outerHTML.slice(0, 99))"
    assert page.eval_on_selector_all("details > *", fading) == [], "paper does not wait"
    assert page.locator(".gdp-row:visible").count() == page.locator(".gdp-row").count()
    page.emulate_media(color_scheme="dark", media="screen")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    assert page.locator("details[open]").count() == 0
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize(("colours", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(page, axe, colours, width):
    """On a desk in the light, on a phone in the dark."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=colours)
    page.wait_for_function(f"document.documentElement.dataset.theme == '{colours}'")
    page.wait_for_timeout(700)  # the theme makes wide code focusable 300 ms after a resize
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [
        f"{rule['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ] == []


@pytest.fixture(scope="module")
def server():
    """The book on a local address, as on the web."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            """Text is packed, as every server on the web does."""
            path = Path(self.translate_path(self.path))
            if path.suffix not in (".html", ".js", ".css", ".svg") or not path.is_file():
                return super().do_GET()
            packed = gzip.compress(path.read_bytes(), 6)
            self.send_response(200)
            self.send_header("Content-Type", self.guess_type(path))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

    handler = functools.partial(Quiet, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("where", ["file", "server"])
def test_search_finds_a_word(browser, request, where):
    place = HTML.as_uri() if where == "file" else request.getfixturevalue("server")
    page = open_page(browser, f"{place}/search.html?q=diffusion")
    page.wait_for_selector("#search-results ul.search li a")
    links = page.eval_on_selector_all("#search-results a", "all => all.map(a => a.href)")
    assert any("book/index.html" in link for link in links)
    assert page.complaints == []
    assert page.strangers == []
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(browser, server, name):
    """Transferred before a reader scrolls: a megabyte at most, and one bundle of MathJax."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    addresses, bytes_ = {}, {}
    session.on(
        "Network.responseReceived", lambda e: addresses.update({e["requestId"]: e["response"]})
    )
    session.on(
        "Network.loadingFinished", lambda e: bytes_.update({e["requestId"]: e["encodedDataLength"]})
    )
    page.goto(f"{server}/{name}")
    page.wait_for_timeout(200)
    got = {urlparse(addresses[i]["url"]).path: size for i, size in bytes_.items() if i in addresses}
    context.close()
    assert f"/{name}" in got
    assert not [path for path in got if "fontawesome" in path]
    maths = sum(size for path, size in got.items() if "/mathjax/" in path)
    assert maths < 0.6e6
    assert sum(got.values()) - maths < 1e6, sorted((v, k) for k, v in got.items())[-5:]


def test_icons_are_drawn(browser):
    """Every icon that the theme asks for has a picture in icons.css."""
    page = open_page(browser, (HTML / "book" / "notation.html").as_uri())
    icons = page.eval_on_selector_all(
        "i[class*='fa-']",
        "all => all.map(i => [i.className, getComputedStyle(i).maskImage.slice(0, 9)])",
    )
    assert len(icons) > 5
    assert {picture for _, picture in icons} == {'url("data'}, icons
    page.context.close()
