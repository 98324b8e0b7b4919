"""Photos from public addresses: verified, kept, and left out in silence where they are not had."""

import hashlib
import json
import re
from pathlib import Path

from gdp_lite.book.fetched import fetched

ROOT = Path(__file__).parents[1]


def test_the_file_with_that_checksum_is_kept(tmp_path):
    there, cache = tmp_path / "photo.jpg", tmp_path / "cache"
    there.write_bytes(b"a photo")
    right = hashlib.sha256(b"a photo").hexdigest()
    path = fetched(there.as_uri(), right, cache)
    assert path.read_bytes() == b"a photo"
    there.unlink()
    assert fetched(there.as_uri(), right, cache) == path, "not fetched again"
    path.write_bytes(b"damaged")
    assert fetched(there.as_uri(), right, cache) is None
    assert [file.name for file in cache.iterdir()] == [path.name]


def test_another_file_and_no_file_are_none(tmp_path):
    there, cache = tmp_path / "photo.jpg", tmp_path / "cache"
    there.write_bytes(b"another photo")
    right = hashlib.sha256(b"a photo").hexdigest()
    assert fetched(there.as_uri(), right, cache) is None
    assert not cache.exists()
    for address in ((tmp_path / "none.jpg").as_uri(), "no address", "http://127.0.0.1:9/x"):
        assert fetched(address, right, cache) is None


def test_the_chapters_photo_is_the_one_of_the_page():
    """Its address and checksum in the notebook are those that the page of real photos states."""
    photos = json.loads((ROOT / "book" / "real" / "photos.json").read_text("utf-8"))
    notebook = json.loads((ROOT / "book" / "phone_noise.ipynb").read_text("utf-8"))
    source = next("".join(c["source"]) for c in notebook["cells"] if c["id"] == "real")
    assert photos["iphone_4"]["sha256"] in source
    halves = re.search(r'ADDRESS = \(\s*"(.*)"\s*"(.*)"', source).groups()
    assert "".join(halves) == photos["iphone_4"]["source"]
