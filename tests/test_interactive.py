"""The moving figures: the same at every run, words for every position, small, clear refusals."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from PIL import Image

from gdp_lite.book.interactive import VIEW, before_after, slider, stepper


def image(seed=0, size=(24, 32)):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def flat(*rgb, size=(24, 32)):
    return torch.tensor(rgb).float().view(1, 3, 1, 1).expand(1, 3, *size)


def tags(figure):
    return re.findall(r"<img [^>]*>", figure.data)


def alts(figure):
    return [re.search(r'alt="(.*?)"', tag)[1] for tag in tags(figure)]


def pixels(tag):
    code = re.search(r"data:image/webp;base64,([^\"]*)", tag)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB"))


def build_slider():
    return slider({"t = 1": image(1), "t = 2": image(2)}, "time")


def build_pair():
    return before_after(image(1), image(2), "grain, then none", ("photo", "restored"))


def build_stepper():
    return stepper({m: {"cat": image(1), "dog": image(2)} for m in ("ours", "theirs")})


each = pytest.mark.parametrize("build", [build_slider, build_pair, build_stepper])


@each
def test_the_same_at_every_run(build):
    one, two = build(), build()
    assert one.data == two.data
    assert repr(one) == repr(two)
    assert "0x" not in repr(one)


@each
def test_holds_all_it_needs(build):
    """No other host, no script to load, no id that a second figure on the page would repeat."""
    data = build().data
    assert "://" not in data
    assert "<script" not in data
    assert not re.search(r"[\s\"]id=|[\s\"]for=", data)


@each
def test_pictures_reserve_their_place(build):
    for tag in tags(build()):
        assert 'width="32" height="24"' in tag
        assert pixels(tag).shape == (24, 32, 3)


def test_slider_shows_the_first_frame_without_script():
    figure = slider({f"t = {t}": image(t) for t in range(4)}, "time")
    rows = re.findall(r'<div class="gdp-row"[^>]*>', figure.data)
    assert [" hidden" in row for row in rows] == [False, True, True, True]
    assert "<output>t = 0</output>" in figure.data
    assert 'max="3" value="0"' in figure.data


def test_slider_frames_keep_their_order_and_colour():
    figure = slider({"red": flat(1, 0, 0), "blue": flat(0, 0, 1)}, "colour")
    red, blue = map(pixels, tags(figure))
    assert red.mean((0, 1)) == pytest.approx([255, 0, 0], abs=6)
    assert blue.mean((0, 1)) == pytest.approx([0, 0, 255], abs=6)


def test_slider_has_words_for_every_position():
    frames = {f"t = {t}": image(t) for t in range(3)}
    assert alts(slider(frames, "time")) == ["time: t = 0", "time: t = 1", "time: t = 2"]
    told = {title: f"seen at {title}" for title in frames}
    assert alts(slider(frames, "time", told)) == list(told.values())


def test_several_pictures_at_a_position_have_captions():
    pair = {"noisy": image(0), "guess": image(1)}
    figure = slider({"t = 1": pair, "t = 2": pair}, "time", {"t = 1": "one", "t = 2": "two"})
    assert alts(figure) == ["one", "", "two", ""]
    assert figure.data.count("<div>noisy</div>") == figure.data.count("<div>guess</div>") == 2


def test_pair_lays_before_over_after():
    figure = before_after(flat(1, 0, 0), flat(0, 0, 1), "red, then blue")
    below, above = tags(figure)
    assert pixels(below).mean((0, 1)) == pytest.approx([0, 0, 255], abs=6)
    assert pixels(above).mean((0, 1)) == pytest.approx([255, 0, 0], abs=6)
    assert alts(figure) == ["red, then blue", ""]


def test_stepper_has_words_for_every_cell():
    row = {"cat": image(1), "dog": image(2)}
    assert alts(stepper({"ours": row, "theirs": row})) == [
        "cat, ours", "dog, ours", "cat, theirs", "dog, theirs",
    ]  # fmt: skip
    told = {m: {"cat": f"{m} purrs", "dog": f"{m} barks"} for m in ("a", "b")}
    assert alts(stepper({"a": row, "b": row}, told)) == [
        "a purrs", "a barks", "b purrs", "b barks",
    ]  # fmt: skip


def test_stepper_shows_the_first_cell_without_script():
    rows = re.findall(r'<div class="gdp-row"[^>]*>', build_stepper().data)
    assert [" hidden" in row for row in rows] == [False, True, True, True]
    assert build_stepper().data.count(" checked>") == 2


def test_titles_may_be_numbers():
    assert alts(slider({1: image(), 0.5: image()}, "t")) == ["t: 1", "t: 0.5"]
    assert alts(stepper({1: {2: image()}})) == ["2, 1"]


def test_words_are_escaped():
    title = 'a < b & "c"'
    for figure in (
        slider({title: image()}, title),
        before_after(image(), image(), title, (title, title)),
        stepper({title: {title: image()}}, labels=(title, title)),
    ):
        assert title not in figure.data
        assert "a &lt; b &amp; &quot;c&quot;" in figure.data


def test_ten_frames_are_small():
    """White noise, which compresses worst; photographs are several times smaller."""
    frames = {str(k): image(k, (192, 256)) for k in range(10)}
    assert len(slider(frames, "frame").data) < 400_000
    smooth = torch.nn.functional.avg_pool2d(image(0, (384, 512)), 9, 1, 4)[..., ::2, ::2]
    assert len(slider({str(k): smooth for k in range(10)}, "frame").data) < 200_000


def test_tensors_with_gradient_and_without_a_batch():
    plain = image()
    want = tags(slider({"a": plain}, "x"))
    assert tags(slider({"a": plain[0]}, "x")) == want
    assert tags(slider({"a": plain.clone().requires_grad_()}, "x")) == want
    assert tags(slider({"a": plain.numpy()}, "x")) == want


def shown(twin):
    """The <img> tags that a twin shows now."""
    return re.findall(r"<img [^>]*>", twin.children[-1].value)


def test_the_sliders_twin_shows_what_the_page_does():
    figure = slider({f"t = {t}": {"a": image(t), "b": image(9)} for t in range(4)}, "time")
    twin = figure.twin()
    control, picture = twin.children
    assert control.description == "time"
    for k in (0, 2, 1, 3):
        control.index = k
        assert shown(twin) == tags(figure)[2 * k : 2 * k + 2]
        assert f'alt="time: t = {k}"' in picture.value
        assert f"<output>t = {k}</output>" in picture.value
        assert "hidden" not in picture.value[picture.value.index("</style>") :]


def test_the_steppers_twin_shows_what_the_page_does():
    figure = stepper({m: {c: image(ord(m) * ord(c)) for c in "xyz"} for m in "ab"})
    twin = figure.twin()
    methods, images, _ = twin.children
    assert (methods.description, images.description) == ("method", "image")
    for row, column in ((0, 0), (1, 2), (0, 1), (1, 0)):
        methods.index, images.index = row, column
        assert shown(twin) == [tags(figure)[3 * row + column]]


def test_at_a_kernel_the_slider_shows_what_lies_between():
    def look(t):
        return f"t is {t}", flat(t / 100, 0, 0), f"red {t}"

    figure = slider({f"t is {t}": look(t)[1] for t in (0, 100)}, "t", live=(range(101), look))
    assert len(tags(figure)) == 2
    twin = figure.twin()
    for t in (0, 40, 75):
        twin.children[0].value = t
        (tag,) = shown(twin)
        assert pixels(tag)[..., 0].mean() == pytest.approx(2.55 * t, abs=6)
        assert f'alt="red {t}"' in tag


class FrontEnd:
    """What Jupyter or Colab does with a kernel: runs a line, moves a widget."""

    def __init__(self, client):
        self.client = client

    def messages(self, parent):
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == parent:
                if message["content"].get("execution_state") == "idle":
                    return
                assert message["msg_type"] != "error", message["content"]
                yield message["msg_type"], message["content"]

    def run(self, code, somebody=True):
        """What the code shows, by type, and the state of each widget that it made."""
        data, states = {}, {}
        for kind, content in self.messages(self.client.execute(code, allow_stdin=somebody)):
            if kind == "execute_result":
                data = content["data"]
            if kind == "comm_open":
                states[content["comm_id"]] = content["data"]["state"]
        return data, states

    def move(self, widget, **state):
        """What the other widgets change to when one is moved."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        move = self.client.session.msg("comm_msg", {"comm_id": widget, "data": data})
        self.client.shell_channel.send(move)
        sent = [c for kind, c in self.messages(move["header"]["msg_id"]) if kind == "comm_msg"]
        return {c["comm_id"]: c["data"].get("state") for c in sent if c["comm_id"] != widget}


MAKE = """
import torch
from gdp_lite.book.interactive import before_after, slider
slider({f"t = {t}": torch.full((1, 3, 8, 8), t / 3) for t in range(3)}, "time")
"""


@pytest.fixture(scope="module")
def front_end():
    manager, client = start_new_kernel()
    yield FrontEnd(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_somebody_at_a_kernel_moves_widgets(front_end):
    data, states = front_end.run(MAKE)
    assert set(data) == {VIEW, "text/html", "text/plain"}, "the HTML is for those without widgets"
    assert data["text/plain"] == "slider, time: t = 0, t = 1, t = 2"
    *controls, picture = states[data[VIEW]["model_id"]]["children"]
    (control,) = (name.removeprefix("IPY_MODEL_") for name in controls)
    changed = front_end.move(control, index=2)
    assert list(changed) == [picture.removeprefix("IPY_MODEL_")]
    (state,) = changed.values()
    assert 'alt="time: t = 2"' in state["value"]
    (tag,) = re.findall(r"<img [^>]*>", state["value"])
    assert pixels(tag).mean() == pytest.approx(170, abs=4)


def test_what_is_stored_holds_no_widget(front_end):
    """A program that runs a notebook says that nobody is there."""
    data, states = front_end.run(MAKE, somebody=False)
    assert set(data) == {"text/html", "text/plain"}
    assert states == {}


def test_before_and_after_is_the_same_at_a_kernel(front_end):
    code = 'before_after(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), "black, white")'
    data, states = front_end.run(MAKE + code)
    assert set(data) == {"text/html", "text/plain"}
    assert states == {}


def test_without_ipywidgets_there_is_the_html(front_end):
    front_end.run("import sys\nheld = sys.modules.get('ipywidgets')")
    front_end.run("sys.modules['ipywidgets'] = None  # what Python has for 'not to be found'")
    data, states = front_end.run(MAKE)
    assert set(data) == {"text/html", "text/plain"}
    assert states == {}
    front_end.run("sys.modules['ipywidgets'] = held")
    assert VIEW in front_end.run(MAKE)[0]


BAD = {
    "no frames": lambda: slider({}, "t"),
    "no label": lambda: slider({"a": image()}, ""),
    "one channel": lambda: slider({"a": image()[:, :1]}, "t"),
    "two images in a batch": lambda: slider({"a": image().repeat(2, 1, 1, 1)}, "t"),
    "bytes": lambda: slider({"a": (image() * 255).byte()}, "t"),
    "nothing": lambda: slider({"a": None}, "t"),
    "nan": lambda: slider({"a": image() * float("nan")}, "t"),
    "an alt is missing": lambda: slider({"a": image(), "b": image()}, "t", {"a": "x"}),
    "an alt is empty": lambda: slider({"a": image()}, "t", {"a": ""}),
    "no pictures at a position": lambda: slider({"a": {}}, "t"),
    "too much": lambda: slider({str(k): image(k, (384, 512)) for k in range(9)}, "t"),
    "sizes": lambda: before_after(image(), image(size=(16, 16)), "x"),
    "no alt": lambda: before_after(image(), image(), ""),
    "three labels": lambda: before_after(image(), image(), "x", ("a", "b", "c")),
    "empty table": lambda: stepper({}),
    "empty row": lambda: stepper({"a": {}}),
    "ragged": lambda: stepper({"a": {"c": image()}, "b": {"d": image()}}),
    "a method without alts": lambda: stepper({"a": {"c": image()}}, {"b": {"c": "x"}}),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_refusals_are_one_line(call):
    with pytest.raises(ValueError, match=r"^(slider|before_after|stepper)\b.*$") as caught:
        call()
    assert "\n" not in str(caught.value)
