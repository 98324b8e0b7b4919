"""Pictures for the chapters, and the redrawn figures of the source."""

import io
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
