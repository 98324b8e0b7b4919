"""Pictures for the chapters, and the redrawn figures of the source."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from gdp_lite.book.plotting import show, source_figure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("number", [1, 2])
def test_source_figures_are_described_and_need_no_other_host(number):
    text = source_figure(number).data
    root = ElementTree.fromstring(text)
    assert root.find(f"{SVG}title").text
    assert root.find(f"{SVG}desc").text
    assert set(re.findall(r"https?://[^\s\"]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_there_is_no_third_figure():
    with pytest.raises(FileNotFoundError):
        source_figure(3)


def green_square(**options):
    """A red picture with a green square of 8 pixels, as shown: numbers of an RGB array."""
    image = torch.zeros(1, 3, 32, 32)
    image[:, 0] = 1.0
    image[..., 4:12, 4:12] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    shown = Image.open(io.BytesIO(show({"square": image}, width=3.0, **options).data))
    return np.asarray(shown.convert("RGB")).astype(int)


def green_share(array):
    """Of the whole figure, whose numbers of pixels differ."""
    return ((array[..., 1] > 200) & (array[..., 0] < 60) & (array[..., 2] < 60)).mean()


def test_a_zoom_shows_the_square_again_and_larger():
    """8 of 32 pixels wide there, half of the width in the corner: four times the area more."""
    plain, zoomed = green_square(), green_square(zoom=(4, 4, 8))
    assert green_share(plain) > 0.04
    assert 4.6 < green_share(zoomed) / green_share(plain) < 5.1  # frames cover a little of both


def test_a_title_of_two_lines_does_not_cover_the_picture():
    picture = torch.zeros(1, 3, 8, 8)
    one, two = (
        Image.open(io.BytesIO(show({title: picture}, width=3.0, font=15).data)).size
        for title in ("one", "one\ntwo")
    )
    assert two[0] == one[0]
    assert two[1] > one[1] + 20


def gradients(number, height=40, width=60):
    """Smooth pictures that differ, none of which is white anywhere."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return [0.6 * torch.stack([x * (n % 2), y, x * y * n / number])[None] for n in range(number)]


@pytest.mark.parametrize(
    "options", [{}, {"columns": 2}, {"few": 5}, {"columns": 3, "width": 7.3, "font": 15}]
)
def test_a_box_holds_its_panel_and_nothing_else(options):
    pictures = {f"no. {n}\nof 5" if n else "no. 0": p for n, p in enumerate(gradients(5))}
    shown = Image.open(io.BytesIO(show(pictures, **options).data))
    told = json.loads(shown.info["comment"])
    assert told["columns"] == options.get("columns", 5)
    assert told["few"] == options.get("few", 2)
    assert [panel["title"] for panel in told["panels"]] == list(pictures)
    for panel, picture in zip(told["panels"], pictures.values(), strict=True):
        x, y, w, h = panel["box"]
        cut = np.asarray(shown.crop((x, y, x + w, y + h))).astype(float)
        right = torch.nn.functional.interpolate(picture, (h, w))[0].permute(1, 2, 0) * 255
        difference = np.abs(cut - right.numpy())  # of neighbours, where a pixel's edge is rounded
        assert difference.mean() < 3
        for edge in (difference[0], difference[-1], difference[:, 0], difference[:, -1]):
            assert edge.mean() < 8, "white bleeds into it, or it is cut off"
        frame = np.asarray(shown.crop((x - 2, y - 2, x + w + 2, y + h + 2)))
        assert min(frame[0].min(), frame[-1].min(), frame[:, 0].min(), frame[:, -1].min()) > 200


def test_pictures_of_other_shapes_stand_in_the_middle_of_their_columns():
    tall, wide = gradients(1, 60, 30)[0], gradients(1, 40, 60)[0]
    shown = Image.open(io.BytesIO(show({"wide": wide, "tall": tall}, width=6).data))
    (x, y, w, h), (x2, y2, w2, h2) = (
        panel["box"] for panel in json.loads(shown.info["comment"])["panels"]
    )
    assert y2 == y
    assert h2 == h
    assert w2 == round(h / 2)
    assert x2 + w2 / 2 == pytest.approx(x + w + 8 + w / 2, abs=1)
