"""The redrawn figures of the source."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from gdp_lite.book.plotting import source_figure

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
