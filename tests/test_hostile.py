"""Files made or damaged to do harm: the right result or one line, within seconds, in silence.

What is read is written in every format, opened again and compared. Budgets are fixed: seeds and
numbers of files are.
"""

import io
import random
import signal
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from skimage import data

from gdp_lite.files.encoding import encode
from gdp_lite.photos import PhotoError, read_photo

LONGEST = 30  # seconds a file may take on a busy machine; the slowest takes a tenth of it
KINDS = ("JPEG", "PNG", "WEBP", "TIFF")


@contextmanager
def in_time():
    def stop(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def survives(content, kinds=KINDS, most=4_000_000):
    """Read, write, read again; whether it could be read. Any other error than ours passes on."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        photo, refusal = None, ""
        try:
            photo = read_photo(content, max_pixels=most)
        except PhotoError as error:
            refusal = str(error)
        if photo is None:
            assert len(refusal.splitlines()) == 1
            assert len(refusal) < 400
            return False
        height, width = photo.image.shape[-2:]
        assert bool(photo.image.isfinite().all())
        for kind in kinds:
            if kind == "WEBP" and max(height, width) > 16383:
                continue
            written, told = encode(photo.image, photo, kind)
            assert all(len(note.splitlines()) == 1 for note in [*told, *photo.notes])
            again = read_photo(written)
            assert again.image.shape == photo.image.shape, "the size that is seen"
            if kind in ("PNG", "TIFF") and photo.origin.mode != "CMYK":
                assert torch.equal(again.image, photo.image)
            elif kind == "JPEG" and photo.alpha is None:  # its colours coded as it says
                assert (again.image - photo.image).abs().mean() < 0.03
            check_metadata(photo, written, kind)
        return True


def check_metadata(photo, written, kind):
    """With Pillow's eyes: profile, position and place of the file in the new one."""
    if photo.notes or kind == "TIFF":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about what was broken before
        if kind == "PNG":
            PngImagePlugin.MAX_TEXT_CHUNK = 1 << 26  # it refuses whole files for their long texts
        with Image.open(io.BytesIO(written)) as found:
            block = photo.metadata.get("exif", b"").removeprefix(b"Exif\0\0")
            kept = found.info.get("exif", b"").removeprefix(b"Exif\0\0")
            assert len(kept) == len(block)
            if kind == photo.origin.kind == "JPEG" and "xmp" in photo.metadata:
                assert "xmp" in found.info


def test_the_collection_of_hostile_files(shared, capfd):
    """1,510 files; a tenth of them here, all of them in the slow test."""
    walk(shared, capfd, slice(None, None, 10))


@pytest.mark.slow
def test_all_hostile_files(shared, capfd):
    walk(shared, capfd, slice(None))


def walk(shared, capfd, which):
    files = sorted((shared / "eval" / "hostile").glob("[!S]*"))
    if not files:
        pytest.skip("the folder of hostile files is not here")
    read = {path.name: survives(path.read_bytes()) for path in files[which]}
    assert 0.3 < np.mean(list(read.values())) < 0.7, "most broken ones are refused, not all"
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""


def damaged(good, draw, head=3000):
    """Some bytes turned, cut out, doubled, or the end cut off; mostly in the head."""
    bad = bytearray(good)
    for _ in range(draw.choice([1, 1, 2, 8])):
        at = draw.randrange(min(len(bad), draw.choice([200, head, 10**9])))
        way = draw.random()
        if way < 0.6:
            bad[at] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
        elif way < 0.75:
            del bad[at : at + draw.randrange(1, 40)]
        elif way < 0.9:
            bad[at:at] = bad[at : at + draw.randrange(1, 40)]
        elif len(bad) > 100:
            del bad[draw.randrange(50, len(bad)) :]
    return bytes(bad)


def small(kind):
    """A small file with all that a format holds."""
    image = Image.fromarray(data.astronaut()[:40, 200:260])
    profile = {"icc_profile": b"\0" * 16 + b"RGB " + bytes(200), "xmp": b"<x:xmpmeta/>"}
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x927C] = bytes(range(64))
    tags.get_ifd(0x8825)[1] = "N"
    options = {"exif": tags.tobytes(), **profile}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Author", "me", zip=True)
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        image.putalpha(200)
    if kind == "TIFF":
        del options["xmp"], options["exif"]
        options["compression"] = "tiff_adobe_deflate"
    if kind == "MPO":
        options = {"exif": options["exif"], "save_all": True, "append_images": [image]}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF"])
def test_small_files_damaged(kind, capfd):
    draw, good = random.Random(kind), small(kind)
    assert survives(good)
    read = [survives(damaged(good, draw), draw.sample(KINDS, 2)) for _ in range(60)]
    assert any(read)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["htc_desire", "nokia_3110c"])
def test_phone_files_damaged(shared, name, capfd):
    good = (shared / "eval" / "phones" / f"{name}.jpg").read_bytes()
    draw = random.Random(name)
    read = [survives(damaged(good, draw, 9000), ["JPEG"]) for _ in range(8)]
    assert any(read)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_all_phone_files_damaged(shared, capfd):
    """Twenty times each: in the head, where structure and metadata are, as often as in pixels."""
    draw, read = random.Random(0), []
    for path in sorted((shared / "eval" / "phones").glob("*.jpg")):
        good = path.read_bytes()
        kinds = ["JPEG"] if len(good) > 500_000 else ["JPEG", "PNG"]
        read += [survives(damaged(good, draw, 60_000), kinds, 16_500_000) for _ in range(20)]
    assert np.mean(read) > 0.5
    assert capfd.readouterr() == ("", "")
