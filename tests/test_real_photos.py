"""The page of real phone photos: pictures, credits, and that a crop is the photo's own tile."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from gdp_lite.diagnosis import KINDS, diagnose, told
from gdp_lite.findings import ASKED, SEEN
from gdp_lite.restoring import relit, restore_image

ROOT = Path(__file__).parents[1]
REAL = ROOT / "book" / "real"
PAGE = (ROOT / "book" / "real_photos.md").read_text(encoding="utf-8")
PHOTOS = json.loads((REAL / "photos.json").read_text(encoding="utf-8"))
PICTURES = [path for path in sorted(REAL.iterdir()) if path.suffix != ".json"]


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield runpy.run_path(str(ROOT / "benchmarks" / "real_photos.py"))
    sys.path.remove(str(ROOT / "benchmarks"))


def test_pictures_are_small():
    assert sum(path.stat().st_size for path in PICTURES) <= 1_800_000
    for path in PICTURES:
        with Image.open(path) as picture:
            assert max(picture.size) <= 640, path.name
            assert not picture.getexif(), f"{path.name} tells where it was taken"


def test_at_least_six_photos_are_shown_with_two_crops():
    assert sum(len(entry["crops"]) == 2 for entry in PHOTOS.values()) >= 6


@pytest.mark.parametrize("name", PHOTOS)
def test_every_picture_of_a_photo_is_there_and_no_other(name):
    entry = PHOTOS[name]
    expected = {"frame-photo"} if entry["frame"] else set()
    if entry["frame"] and {"light", "colour"} & set(entry["kinds"]):
        expected.add("frame-restored")
    for number, crop in enumerate(entry["crops"], 1):
        expected |= {f"{number}-{way}" for way in crop["flat"] if way != "relit"}
    assert {p.stem for p in PICTURES if p.stem.startswith(f"{name}-")} == {
        f"{name}-{rest}" for rest in expected
    }


@pytest.mark.parametrize("name", PHOTOS)
def test_credits_are_complete(name):
    entry = PHOTOS[name]
    assert re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])
    assert re.match(
        r"https://raw\.githubusercontent\.com/\S+/[0-9a-f]{40}/\S+\.jpg$", entry["source"]
    )
    assert entry["source"].startswith(f"https://raw.githubusercontent.com/{entry['owner']}/")
    assert entry["licence"]
    assert entry["camera"]


def test_checksums_are_those_of_the_files(shared):
    words = (shared / "DATA.md").read_text(encoding="utf-8")
    for name, entry in PHOTOS.items():
        assert re.search(rf"`{name}\.jpg`.*`{entry['sha256']}`", words), name


@pytest.mark.parametrize("name", PHOTOS)
def test_findings_are_as_the_command_writes_them(name):
    entry = PHOTOS[name]
    assert list(entry["findings"]) == [k for k in KINDS if k in entry["findings"]]
    assert set(entry["findings"]) >= {"light", "colour", "softness", "noise"}
    for found in entry["findings"].values():
        assert set(found) == {"estimate", "std", "unit", "visible", "line", "phi"}
    least = dict.fromkeys(entry["findings"], SEEN) | ASKED
    seen = {k: f["line"] for k, f in entry["findings"].items() if f["visible"] >= least[k]}
    assert entry["seen"] == [k for k, line in seen.items() if "left as it is" not in line]
    assert entry["kinds"] == entry["seen"]


@pytest.mark.parametrize("name", PHOTOS)
def test_the_page_shows_every_photo_and_says_what_is_seen(name):
    block = re.search(rf"```\{{real-photo\}} {name}\n(.*?)```", PAGE, re.DOTALL)
    assert block, f"{name} is not on the page"
    alts = dict(re.findall(r"^:([a-z0-9-]+): (.+)$", block[1], re.MULTILINE))
    entry, needed = PHOTOS[name], {"frame"} if PHOTOS[name]["frame"] else set()
    for number, crop in enumerate(entry["crops"], 1):
        needed.add(f"crop-{number}")
        if "classical" in crop["flat"]:
            needed.add(f"classical-{number}")
    assert set(alts) == needed
    assert all(len(alt) > 30 for alt in alts.values())


def test_the_page_and_the_first_pages_lead_to_each_other():
    assert "file: book/real_photos" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for page, picture in (("README.md", "real/strip.jpg"), ("book/index.md", "```{real-pair}")):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert picture in text
        assert "real_photos.md" in text


def test_no_person_and_no_name_is_shown(bench):
    """The receipt's name stands at x 620 to 820, y 420 to 500; the man of the Sony left of 1320."""
    assert "iphone_5s" not in PHOTOS
    assert PHOTOS["iphone_4"]["frame"] is None
    side = bench["SIDE"]
    for crop in PHOTOS["iphone_4"]["crops"]:
        assert crop["left"] + side <= 625 or crop["top"] >= 500
    assert PHOTOS["sony_c905c"]["frame"][0] >= 1320
    assert all(crop["left"] >= 1320 for crop in PHOTOS["sony_c905c"]["crops"])


@pytest.mark.parametrize("kinds", [["noise"], ["light", "noise"]])
def test_a_crop_is_what_the_whole_photo_would_be_there(bench, kinds):
    """With a stand-in for the network that looks as far as the margin allows. Not for softness:
    the noise that its sampler adds is another in a tile that begins elsewhere."""
    generator = torch.Generator().manual_seed(0)
    scene = torch.rand(1, 3, 8, 8, generator=generator)
    y = torch.nn.functional.interpolate(scene, (320, 384), mode="bicubic").clamp(0, 1) * 0.6 + 0.1
    y = (y + 0.04 * torch.randn(y.shape, generator=generator)).clamp(0, 1)

    def prior(x, sigma):
        small = torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        return small + (x - small) / (1 + (20 * sigma) ** 2)

    found = told(diagnose(y), noise=10, blur=0.8, exposure=0.5)
    whole = restore_image(y, found, prior, kinds)
    z, gain = relit(y, found, kinds)
    crop = bench["restored_crop"](z, gain, found, kinds, prior, (136, 104), side=96)
    there = bench["cut"](whole, (136, 104), side=96)
    change = float((there - bench["cut"](z, (136, 104), side=96)).square().mean().sqrt())
    gap = float((crop - there).square().mean().sqrt())
    assert change > 1 / 255, "nothing was undone"
    assert gap < 0.05 * change
