"""Any file, and nothing lost without a word: kinds of files, built here, and what is in them.

Files that were written are taken apart by the functions of this page, not by the package's.
"""

import base64
import io
import os
import re
import struct
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageFile, ImageOps
from skimage import data

from gdp_lite.photos import (
    PhotoError,
    read_mask,
    read_photo,
    save_bytes,
    write_photo,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MPF, XMP = b"MPF\0", b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
NAMES = (
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    b'xmlns:C="http://ns.google.com/photos/1.0/container/" '
    b'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
    b'xmlns:G="http://ns.google.com/photos/1.0/camera/" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
    b'xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"'
)
GPS = b"N\0\0\0"


def picture(height=96, width=144):
    """A small picture that no turn or flip maps to itself."""
    return Image.fromarray(data.astronaut()[20 : 20 + height, 180 : 180 + width])


def jpeg(image=None, **options):
    file = io.BytesIO()
    (picture() if image is None else image).save(file, "JPEG", **options)
    return file.getvalue()


def segments(file):
    """(marker, content) of a JPEG up to its pixels."""
    at, found = 2, []
    while file[at + 1] != 0xDA:
        assert file[at] == 0xFF
        length = struct.unpack(">H", file[at + 2 : at + 4])[0]
        found.append((file[at + 1], file[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def extras(file):
    return [s for s in segments(file) if s[0] >= 0xE0]


def with_segments(file, new):
    """A JPEG with these APPn and comments instead of its own."""
    core = [s for s in segments(file) if s[0] < 0xE0]
    scan = file[file.index(b"\xff\xda") :]
    parts = [struct.pack(">BBH", 0xFF, m, len(c) + 2) + c for m, c in [*new, *core]]
    return b"\xff\xd8" + b"".join(parts) + scan


def packet(attributes=b"", inner=b""):
    return (
        b"<x:xmpmeta><rdf:RDF><rdf:Description %s %s>%s</rdf:Description></rdf:RDF></x:xmpmeta>"
        % (
            NAMES,
            attributes,
            inner,
        )
    )


def entry(order, tag, kind, count, value):
    value = value if isinstance(value, bytes) else struct.pack(order + "I", value)
    return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")


def short(order, number):
    return struct.pack(order + "H", number)


def exif(thumbnail, note, orientation=1, size=(144, 96), order="<"):
    """An EXIF block: main list, inner one with a maker's note, position, thumbnail."""
    at_exif, at_gps, at_thumb = 8 + 2 + 36 + 4, 150, 200
    at_note, at_jpeg = 300, 300 + len(note)
    block = bytearray(at_jpeg + len(thumbnail))
    block[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    block[8 : at_exif - 4] = short(order, 3) + b"".join(
        [
            entry(order, 0x0112, 3, 1, short(order, orientation)),
            entry(order, 0x8769, 4, 1, at_exif),
            entry(order, 0x8825, 4, 1, at_gps),
        ]
    )
    block[at_exif - 4 : at_exif] = struct.pack(order + "I", at_thumb)
    block[at_exif : at_exif + 38] = short(order, 3) + b"".join(
        [
            entry(order, 0x927C, 7, len(note), at_note),
            entry(order, 0xA002, 4, 1, size[0]),
            entry(order, 0xA003, 3, 1, short(order, size[1])),
        ]
    )
    block[at_gps : at_gps + 26] = short(order, 2) + b"".join(
        [entry(order, 1, 2, 2, GPS), entry(order, 2, 5, 3, 260)]
    )
    block[260:284] = struct.pack(order + "6I", 4711, 1, 4712, 1, 4713, 1)
    block[at_thumb : at_thumb + 26] = short(order, 2) + b"".join(
        [entry(order, 0x201, 4, 1, at_jpeg), entry(order, 0x202, 4, 1, len(thumbnail))]
    )
    block[at_note:] = note + thumbnail
    return b"Exif\0\0" + bytes(block)


def small(image=None, size=(48, 32), quality=80):
    return jpeg((picture() if image is None else image).resize(size), quality=quality)


def bands(values=(25, 230, 120)):
    """A picture with large shapes, by which a small copy is known."""
    image = np.zeros((96, 144, 3), np.uint8)
    for i, value in enumerate(values):
        image[:, 48 * i : 48 * i + 48] = value
    image[60:, 20:70] = 200, 90, 30
    return Image.fromarray(image)


def as_tensor(image):
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None] / 255


def array(image):
    return np.asarray(image.convert("RGB"), float)


def shows(content, image):
    """Whether a small JPEG shows a picture."""
    found = Image.open(io.BytesIO(content)).convert("RGB")
    return np.abs(array(found) - array(image.resize(found.size, Image.Resampling.BOX))).mean() < 12


# Metadata is a list


def everything(order="<"):
    thumbnail, note = small(), b"maker" + bytes(range(200))
    words = b"0123ABCD" * 4
    long = b"<x:xmpmeta><rdf:RDF><rdf:Description dc:long='%s'/></rdf:RDF></x:xmpmeta>" % (
        b"x" * 300
    )
    parts = [(0, long[:200]), (200, long[200:])]
    iptc = b"\x1c\x02\x5a\x00\x05Paris" + b"\x1c\x02\x05\x00\x05title"
    return [
        (0xE1, exif(thumbnail, note, 6, order=order)),
        (0xE0, b"JFIF\0\1\2\1" + struct.pack(">HHBB", 300, 300, 0, 0)),
        (0xE4, b"unknown to all" + bytes(90)),
        (0xE1, XMP + packet(b'xmpNote:HasExtendedXMP="%s" exif:GPSLatitude="1,2N"' % words)),
        *((0xE1, EXTENSION + words + struct.pack(">II", len(long), at) + p) for at, p in parts),
        (0xE2, b"ICC_PROFILE\0\1\2" + SRGB[:300]),
        (0xE2, b"ICC_PROFILE\0\2\2" + SRGB[300:]),
        (0xED, b"Photoshop 3.0\0" + struct.pack(">4sHHI", b"8BIM", 0x404, 0, len(iptc)) + iptc),
        (0xFE, b"first comment"),
        (0xEB, b""),
        (0xFE, b"second comment"),
    ]


@pytest.mark.parametrize("order", "<>")
def test_every_segment_is_kept_in_order_and_to_the_byte(tmp_path, order):
    before = everything(order)
    (tmp_path / "in.jpg").write_bytes(with_segments(jpeg(), before))
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.image.shape == (1, 3, 144, 96)
    assert write_photo(tmp_path / "out.jpg", photo.image, photo) == []
    after = extras((tmp_path / "out.jpg").read_bytes())
    assert [m for m, _ in after] == [m for m, _ in before]
    assert after[1:] == before[1:]
    start = before[0][1].index(b"\xff\xd8\xff")
    assert after[0][1][:start] == before[0][1][:start]
    assert len(after[0][1]) == len(before[0][1])


def test_a_long_exif_block_goes_into_as_many_segments_as_it_takes(tmp_path):
    block = exif(b"", bytes(range(250)) * 600)
    file = io.BytesIO()
    picture().save(file, "PNG", exif=block)
    photo = read_photo(file.getvalue())
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    parts = [c for m, c in extras((tmp_path / "out.jpg").read_bytes()) if c.startswith(b"Exif\0\0")]
    assert len(parts) == 3
    assert b"".join(part[6:] for part in parts) == block[6:]
    again = read_photo(tmp_path / "out.jpg")
    assert again.metadata["exif"] == block
    write_photo(tmp_path / "again.jpg", again.image, again)
    assert extras((tmp_path / "again.jpg").read_bytes()) == extras(
        (tmp_path / "out.jpg").read_bytes()
    )


def test_the_place_is_left_out_when_asked(tmp_path):
    (tmp_path / "in.jpg").write_bytes(with_segments(jpeg(), everything()))
    photo = read_photo(tmp_path / "in.jpg")
    for name in ("out.jpg", "out.png", "out.tif"):
        write_photo(tmp_path / "kept.jpg", photo.image, photo)
        kept = (tmp_path / "kept.jpg").read_bytes()
        write_photo(tmp_path / name, photo.image, photo, strip=True)
        written = (tmp_path / name).read_bytes()
        for secret in (struct.pack("<II", 4711, 1), b"GPSLatitude", b"Paris"):
            assert secret in kept
            assert secret not in written
        tags = Image.open(tmp_path / name).getexif()
        assert not tags.get_ifd(0x8825)
        assert tags.get_ifd(0x8769)[0x927C].startswith(b"maker")
    assert b"title" in (tmp_path / "out.jpg").read_bytes()


def test_what_another_format_cannot_hold_is_told(tmp_path):
    (tmp_path / "in.jpg").write_bytes(with_segments(jpeg(), everything()))
    photo = read_photo(tmp_path / "in.jpg")
    told = "; ".join(write_photo(tmp_path / "out.png", photo.image, photo))
    assert "APP4" in told
    assert "iptc" in told
    info = Image.open(tmp_path / "out.png").info
    assert info["icc_profile"] == SRGB
    assert b"dc:long" in info["xmp"], "the extension is part of the packet now"
    assert b"HasExtended" not in info["xmp"]
    assert info["dpi"] == pytest.approx((300, 300), abs=0.1)


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(image=None, extra=b"", **options):
    """A PNG with more chunks behind its header."""
    file = io.BytesIO()
    (picture() if image is None else image).save(file, "PNG", **options)
    return file.getvalue()[:33] + extra + file.getvalue()[33:]


def test_chunks_of_a_png_are_kept(tmp_path):
    kept = [chunk(b"tEXt", b"Author\0me"), chunk(b"gAMA", struct.pack(">I", 45455))]
    kept += [chunk(b"prVt", b"private"), chunk(b"tIME", bytes([7, 228, 1, 1, 1, 1, 1]))]
    photo = read_photo(png(extra=b"".join(kept)))
    assert write_photo(tmp_path / "out.png", photo.image, photo) == []
    written = (tmp_path / "out.png").read_bytes()
    assert all(part in written for part in kept)


# What stands behind the picture


def ultra_hdr(kind=0x000000, behind=None):
    """A photo with a gain map behind it, declared in XMP and in the multi-picture index."""
    gain = behind or small(size=(36, 24))
    film = b"\0\0\0\x18ftypmp42" + bytes(range(200))
    said = packet(
        b'hdrgm:Version="1.0" G:MotionPhoto="1" dc:title="sea"',
        b"<C:Directory><rdf:Seq>"
        b'<rdf:li rdf:parseType="Resource"><C:Item Item:Semantic="Primary"/></rdf:li>'
        b'<rdf:li rdf:parseType="Resource"><C:Item Item:Semantic="GainMap" Item:Length="%d"/>'
        b"</rdf:li></rdf:Seq></C:Directory>" % len(gain),
    )

    def index(first, offset):
        pictures = struct.pack(">IIIHH", 0x030000, first, 0, 0, 0)
        pictures += struct.pack(">IIIHH", kind, len(gain), offset, 0, 0)
        head = b"MM\0*" + struct.pack(">IH", 8, 2) + entry(">", 0xB001, 4, 1, 2)
        head += entry(">", 0xB002, 7, 32, 38)
        return MPF + head + bytes(4) + pictures

    def build(first, offset):
        new = [(0xE1, XMP + said), (0xE2, index(first, offset)), (0xFE, b"a comment")]
        return with_segments(jpeg(quality=80), new)

    first = build(0, 0)
    place = first.index(MPF) + 4
    return build(len(first), len(first) - place) + gain + film, gain, film


def test_a_gain_map_and_a_film_are_carried_and_still_found(tmp_path):
    file, gain, film = ultra_hdr()
    photo = read_photo(file)
    assert write_photo(tmp_path / "out.jpg", photo.image, photo) == []
    written = (tmp_path / "out.jpg").read_bytes()
    assert written.endswith(gain + film)
    place = written.index(MPF) + 4
    first, offset = (
        struct.unpack(">I", written[place + at : place + at + 4])[0] for at in (42, 62)
    )
    assert first == len(written) - len(gain + film)
    assert written[place + offset :].startswith(gain)
    assert extras(written)[0] == extras(file)[0]


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.tif"])
def test_what_is_dropped_is_told_and_no_longer_declared(tmp_path, name):
    photo = read_photo(ultra_hdr()[0])
    told = " ".join(write_photo(tmp_path / name, photo.image, photo))
    assert "gain map" in told
    assert "film" in told
    written = (tmp_path / name).read_bytes()
    for word in (b"hdrgm:Version", b"MotionPhoto=", b"GainMap", b"C:Directory>"):
        assert word not in written
    assert b'dc:title="sea"' in written


def test_after_something_was_removed_nothing_may_show_it(tmp_path):
    file, _gain, film = ultra_hdr()
    photo = read_photo(file)
    told = write_photo(tmp_path / "out.jpg", photo.image, photo, removed=True)
    assert re.search("left out, as it shows what was removed: .*film.*gain map", " ".join(told))
    written = (tmp_path / "out.jpg").read_bytes()
    assert film not in written
    assert MPF not in written
    assert b"hdrgm:Version" not in written
    assert [m for m, _ in extras(written)] == [0xE1, 0xFE]


def test_what_is_declared_but_not_there_is_no_longer_declared(tmp_path):
    file, gain, film = ultra_hdr()
    photo = read_photo(file.removesuffix(gain + film))
    told = write_photo(tmp_path / "out.jpg", photo.image, photo)
    assert "not in the file" in told[0]
    assert MPF not in (tmp_path / "out.jpg").read_bytes()


def test_a_real_ultra_hdr_file(shared, tmp_path):
    source = next((shared / "eval" / "hostile").glob("*_ultrahdr.jpg"), None)
    if source is None:
        pytest.skip("no Ultra HDR file here")
    photo = read_photo(source)
    told = write_photo(tmp_path / "out.jpg", photo.image, photo)
    before = extras(source.read_bytes())
    after = extras((tmp_path / "out.jpg").read_bytes())
    assert "not in the file" in told[0], "Pillow's is cut before it"
    assert [c for _, c in after[1:3]] == [c for _, c in before[1:3]]
    assert b"hdrgm:Version" not in (tmp_path / "out.jpg").read_bytes()


def test_a_real_file_with_two_eyes(shared, tmp_path):
    source = next((shared / "eval" / "hostile").glob("*_frame_size.mpo"), None)
    if source is None:
        pytest.skip("no MPO file here")
    photo = read_photo(source)
    assert write_photo(tmp_path / "out.jpg", photo.image, photo) == []
    with Image.open(source) as before, Image.open(tmp_path / "out.jpg") as after:
        assert after.format == before.format == "MPO"
        assert after.n_frames == before.n_frames
        before.seek(1)
        after.seek(1)
        assert np.array_equal(np.asarray(before), np.asarray(after))


# Nothing stale


def with_previews():
    """One in each place: thumbnail, maker's note, Photoshop's, JFIF's, XMP's."""
    old = small(bands())
    note = b"maker" + bytes(50) + small(bands(), (72, 48)) + b"behind"
    other = small(picture(), (64, 64))
    resource = bytes(28) + old
    head = struct.pack(">4sHHI", b"8BIM", 0x40C, 0, len(resource))
    return [
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1" + bytes([18, 12]) + bands().resize((18, 12)).tobytes()),
        (0xE1, exif(old, note)),
        (0xED, b"Photoshop 3.0\0" + head + resource),
        (0xE6, b"KEPT" + other),
        (0xE1, XMP + packet(inner=b"<xmpGImg:image>%s</xmpGImg:image>" % base64.b64encode(old))),
    ]


@pytest.mark.parametrize("removed", [False, True])
def test_every_preview_shows_the_new_picture(tmp_path, removed):
    before = with_previews()
    photo = read_photo(with_segments(jpeg(bands(), quality=95), before))
    new = ImageOps.mirror(ImageOps.invert(bands()))
    write_photo(tmp_path / "out.jpg", as_tensor(new), photo, removed=removed)
    after = extras((tmp_path / "out.jpg").read_bytes())
    assert [len(c) for _, c in after[:4]] == [len(c) for _, c in before[:4]]
    tiny = Image.frombytes("RGB", (18, 12), after[0][1][14:])
    assert np.abs(array(tiny) - array(new.resize((18, 12), Image.Resampling.BOX))).max() < 2
    block, old = after[1][1], before[1][1]
    first, second = (found.start() for found in re.finditer(b"\xff\xd8\xff", old))
    assert shows(block[first:], new)
    assert shows(block[second:], new)
    assert block[:first] == old[:first]
    assert b"behind" in block
    assert shows(after[2][1][after[2][1].index(b"\xff\xd8\xff") :], new)
    other = after[3][1]
    assert (other == before[3][1]) != removed, "what does not look like the photo"
    inner = re.search(rb"<xmpGImg:image>(.*)</xmpGImg", after[4][1])[1]
    assert shows(base64.b64decode(inner), new)


def test_a_preview_in_the_index_of_pictures_is_made_anew(tmp_path):
    old = small(bands(), (96, 64))
    file, gain, film = ultra_hdr(0x010001, old)
    core = jpeg(bands(), quality=80)
    assert gain == old
    photo = read_photo(file)
    assert core
    write_photo(tmp_path / "out.jpg", as_tensor(ImageOps.invert(bands())), photo)
    written = (tmp_path / "out.jpg").read_bytes()
    assert written.endswith(film)
    assert shows(written[-len(old) - len(film) :], ImageOps.invert(bands()))


def test_a_thumbnail_of_bare_pixels(tmp_path):
    pixels = bands().resize((24, 16)).tobytes()
    block = bytearray(exif(b"", b"note")) + pixels
    at, order = len(block) - 6 - len(pixels), "<"
    fields = [
        (256, 4, 24),
        (257, 4, 16),
        (259, 3, 1),
        (262, 3, 2),
        (273, 4, at),
        (279, 4, len(pixels)),
    ]
    table = short(order, 6) + b"".join(entry(order, t, k, 1, v) for t, k, v in fields)
    block[6 + 46 : 6 + 50] = struct.pack("<I", len(block) - 6)
    block += table + bytes(4)
    photo = read_photo(with_segments(jpeg(bands()), [(0xE1, bytes(block))]))
    new = ImageOps.invert(bands())
    write_photo(tmp_path / "out.jpg", as_tensor(new), photo)
    written = extras((tmp_path / "out.jpg").read_bytes())[0][1][6 + at :]
    found = Image.frombytes("RGB", (24, 16), written[: len(pixels)])
    assert np.abs(array(found) - array(new.resize((24, 16), Image.Resampling.BOX))).max() < 2


@pytest.mark.parametrize("name", ["out.jpg", "out.png"])
def test_sizes_and_turns_in_exif_and_xmp_are_true(tmp_path, name):
    said = packet(b'tiff:Orientation="6" tiff:ImageWidth="1" exif:PixelYDimension="2"')
    block = exif(b"", b"note", 6, size=(4000, 3000))
    photo = read_photo(with_segments(jpeg(), [(0xE1, block), (0xE1, XMP + said)]))
    write_photo(tmp_path / name, photo.image, photo)
    written = Image.open(tmp_path / name)
    inner = written.getexif().get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == written.size
    assert written.getexif()[0x0112] == (6 if name == "out.jpg" else 1)
    assert b'ImageWidth="%d"' % written.width in written.info["xmp"]
    assert b'PixelYDimension="%d"' % written.height in written.info["xmp"]
    assert (b'Orientation="1"' in written.info["xmp"]) == (name == "out.png")


# What is seen


def grey_profile():
    """The smallest profile for grey pixels: white point, and light as the square of the value."""
    white = b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0200) + bytes(2)
    text = b"text" + bytes(4) + b"none\0" + bytes(3)
    tags, body = [], b""
    for name, content in ((b"wtpt", white), (b"kTRC", curve), (b"cprt", text), (b"desc", text)):
        tags.append(name + struct.pack(">II", 132 + 48 + len(body), len(content)))
        body += content
    head = bytearray(128)
    struct.pack_into(
        ">I4sI4s4s4s", head, 0, 180 + len(body), b"none", 0x02400000, b"mntr", b"GRAY", b"XYZ "
    )
    head[36:40] = b"acsp"
    struct.pack_into(">3I", head, 68, 0xF6D6, 0x10000, 0xD32D)
    return bytes(head) + struct.pack(">I", 4) + b"".join(tags) + body


def test_a_grey_profile_goes_with_grey_pixels_alone(tmp_path):
    grey, profile = picture().convert("L"), grey_profile()
    file = io.BytesIO()
    grey.save(file, "PNG", icc_profile=profile)
    photo = read_photo(file.getvalue())
    for name in ("out.png", "out.jpg", "out.tif"):
        assert write_photo(tmp_path / name, photo.image, photo) == []
        written = Image.open(tmp_path / name)
        assert written.mode == "L"
        assert written.info["icc_profile"] == profile
    told = write_photo(tmp_path / "out.webp", photo.image, photo)
    assert "profile for grey pixels was applied" in told[0]
    written = Image.open(tmp_path / "out.webp")
    assert "icc_profile" not in written.info
    light = (np.asarray(grey) / 255) ** 2  # as the profile says; sRGB's own curve from there
    expected = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(array(written)[..., 0] - 255 * expected).max() < 3


def test_a_profile_that_does_not_fit_the_pixels_is_left_out(tmp_path):
    photo = read_photo(jpeg(picture().convert("L"), icc_profile=SRGB))
    told = write_photo(tmp_path / "out.jpg", photo.image, photo)
    assert "does not fit" in told[0]
    assert "icc_profile" not in Image.open(tmp_path / "out.jpg").info


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_what_came_lossless_leaves_lossless(tmp_path, kind, mode):
    if (kind, mode) in (("WEBP", "P"), ("WEBP", "1"), ("WEBP", "L"), ("WEBP", "LA")):
        pytest.skip("WebP has no such pixels")
    image = picture()
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    photo = read_photo(file.getvalue())
    out = tmp_path / f"out.{kind.lower()}"
    assert write_photo(out, photo.image, photo) == []
    written = Image.open(out)
    assert np.array_equal(np.asarray(written.convert("RGBA")), np.asarray(image.convert("RGBA")))
    assert (photo.alpha is not None) == ("A" in mode)


@pytest.mark.parametrize("quality", [60, 90, 99])
def test_quantisation_is_no_coarser_than_the_file_s(tmp_path, quality):
    source = jpeg(quality=quality, subsampling=2, progressive=True)
    photo = read_photo(source)
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    before, after = Image.open(io.BytesIO(source)), Image.open(tmp_path / "out.jpg")
    usual = Image.open(io.BytesIO(jpeg(quality=95))).quantization
    for number in (0, 1):
        least = np.minimum(before.quantization[number], usual[number])
        assert np.array_equal(after.quantization[number], least)
    assert after.info["progressive"]
    assert after.layer[0][1:3] == (1, 1), "not subsampled"


# More kinds


def deep(channels, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 65536, (17, 23, channels)).astype(np.uint16)


def deep_png(pixels, filters=False, transparent=b""):
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + transparent + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b"")


def values(photo):
    """A photo's channels and its transparency, as 16-bit numbers."""
    channels = list(photo.image[0]) + ([] if photo.alpha is None else [photo.alpha])
    return np.stack([(c.double() * 65535).round().numpy().astype(np.uint16) for c in channels], -1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["out.png", "out.tif"])
def test_16_bits_stay_16_bits(tmp_path, channels, name):
    pixels = deep(channels)
    photo = read_photo(deep_png(pixels))
    grey = channels < 3
    expected = np.concatenate(
        [pixels[..., [0, 0, 0] if grey else [0, 1, 2]], pixels[..., 3 - 2 * grey :]], 2
    )
    assert photo.bits == 16
    assert np.array_equal(values(photo), expected)
    assert write_photo(tmp_path / name, photo.image, photo) == []
    again = read_photo(tmp_path / name)
    assert again.bits == 16
    assert np.array_equal(values(again), expected)
    told = write_photo(tmp_path / "out.jpg", photo.image, photo)
    assert "16 are rounded" in told[0]


def test_a_transparent_colour_of_16_bits():
    pixels = deep(3)
    key = chunk(b"tRNS", pixels[3, 4].astype(">u2").tobytes())
    photo = read_photo(deep_png(pixels, transparent=key))
    assert photo.alpha[3, 4] == 0
    assert photo.alpha.sum() == photo.alpha.numel() - 1


def test_16_bit_tiffs_of_either_order(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for order in "<>":
        for packed in (None, "zlib"):
            for channels in (1, 3):
                pixels = deep(channels).astype(order + "u2")
                file = io.BytesIO()
                kind = "rgb" if channels == 3 else "minisblack"
                tifffile.imwrite(
                    *(file, pixels.squeeze()), photometric=kind, compression=packed, byteorder=order
                )
                photo = read_photo(file.getvalue())
                assert np.array_equal(values(photo)[..., :channels], pixels)


def test_transparency_is_carried_beside_and_laid_on_white_where_there_is_none(tmp_path):
    image = picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    photo = read_photo(png(image, exif=exif(b"", b"note", 6)))
    assert photo.alpha.shape == photo.image.shape[-2:] == (144, 96)
    write_photo(tmp_path / "out.png", photo.image, photo)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(png(image, exif=exif(b"", b"", 6)))))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(upright))
    assert "laid on white" in write_photo(tmp_path / "out.jpg", photo.image, photo)[0]
    white = Image.new("RGBA", upright.size, "white")
    flat = array(Image.alpha_composite(white, upright))
    assert np.abs(array(Image.open(tmp_path / "out.jpg")) - flat).mean() < 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_answered_in_cmyk(tmp_path, kind):
    inks = np.asarray(picture().convert("CMYK")).astype(int)
    black = inks[..., :3].min(2)
    inks = np.concatenate([inks[..., :3] - black[..., None], black[..., None]], 2)
    image = Image.fromarray(inks.astype(np.uint8), "CMYK")
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    photo = read_photo(file.getvalue())
    name = "out.jpg" if kind == "JPEG" else "out.tif"
    assert write_photo(tmp_path / name, photo.image, photo) == []
    written = Image.open(tmp_path / name)
    before = Image.open(io.BytesIO(file.getvalue()))
    assert written.mode == "CMYK"
    assert np.abs(array(written) - array(before)).mean() < 2
    assert np.abs(np.asarray(written, float)[..., 3] - black).mean() < 3
    # Brighter than the photo's black would let it be.
    write_photo(tmp_path / name, torch.ones_like(photo.image), photo)
    assert array(Image.open(tmp_path / name)).min() > 250


def cmyk_profile():
    """A small profile for four inks: light as they let it through, and the way back."""

    def table(name, inputs, outputs, grid):
        head = b"mft1" + bytes(4) + bytes([inputs, outputs, 2, 0])
        matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
        line = bytes(range(256))
        return name, head + matrix + line * inputs + bytes(grid) + line * outputs

    lab = []
    for i in range(16):  # cyan slowest, black fastest
        c, m, y, k = i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1
        lab += [0 if k else 255 - 75 * (c + m + y), 128 - 60 * (c - m), 128 + 60 * (y - c)]
    inks = []
    for i in range(8):  # lightness slowest
        inks += [0, 0, 0, 0 if i >> 2 & 1 else 255]
    white = b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    text = b"text" + bytes(4) + b"none\0" + bytes(3)
    tables = [table(b"A2B0", 4, 3, lab), table(b"B2A0", 3, 4, inks)]
    tags, body = [], b""
    for name, content in [*tables, (b"wtpt", white), (b"cprt", text), (b"desc", text)]:
        content += bytes(-len(content) % 4)
        tags.append(name + struct.pack(">II", 132 + 60 + len(body), len(content)))
        body += content
    head = bytearray(128)
    names = (b"none", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    struct.pack_into(">I4sI4s4s4s", head, 0, 192 + len(body), *names)
    head[36:40] = b"acsp"
    struct.pack_into(">3I", head, 68, 0xF6D6, 0x10000, 0xD32D)
    return bytes(head) + struct.pack(">I", 5) + b"".join(tags) + body


def test_cmyk_goes_through_its_profile(tmp_path):
    profile = cmyk_profile()
    inks = np.zeros((32, 32, 4), np.uint8)
    inks[:, 8:16, 3], inks[:, 16:24, 0], inks[:, 24:, 1] = 255, 255, 255
    file = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(file, "TIFF", icc_profile=profile)
    photo = read_photo(file.getvalue())
    assert photo.notes == []
    assert photo.origin.black is None
    white, black, cyan, magenta = (photo.image[0, :, 16, at] for at in (4, 12, 20, 28))
    assert white.min() > 0.97
    assert black.max() < 0.1
    assert cyan[0] < cyan[1]
    assert magenta[0] > magenta[1]
    for name in ("out.tif", "out.jpg"):
        write_photo(tmp_path / name, photo.image, photo)
        written = Image.open(tmp_path / name)
        assert (written.mode, written.info["icc_profile"]) == ("CMYK", profile)
        assert np.asarray(written)[16, 4].max() < 10, "white is paper"
        assert np.asarray(written)[16, 12, 3] > 220
    assert "does not fit" in " ".join(write_photo(tmp_path / "out.png", photo.image, photo))


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_keeps_its_fields_and_exif_moves_nowhere(tmp_path, order):
    block = exif(small(), b"maker" + bytes(range(100)), 3, order=order)
    photo = read_photo(with_segments(jpeg(), [(0xE1, block), (0xE1, XMP + packet(b'dc:a="1"'))]))
    write_photo(tmp_path / "out.tif", photo.image, photo)
    written = (tmp_path / "out.tif").read_bytes()
    assert written[8:46] != block[14:52], "the turn, which is now none"
    note = block.index(b"maker") - 6
    assert written[note : note + 105] == block[note + 6 : note + 111]
    with Image.open(tmp_path / "out.tif") as found:
        assert np.array_equal(np.asarray(found), (photo.image[0].permute(1, 2, 0) * 255).round())
        assert found.getexif().get_ifd(0x8769)[0x927C].startswith(b"maker")
        assert found.getexif().get_ifd(0x8825)[1] == "N"
        assert b'dc:a="1"' in found.tag_v2[700]
        assert found.n_frames == 1
    again = read_photo(tmp_path / "out.tif")
    write_photo(tmp_path / "again.jpg", again.image, again)
    tags = Image.open(tmp_path / "again.jpg").getexif()
    assert tags.get_ifd(0x8825)[2] == (4711.0, 4712.0, 4713.0)


def test_avif_is_read_and_answered(tmp_path):
    pytest.importorskip("PIL._avif")
    file = io.BytesIO()
    picture().save(file, "AVIF", quality=95, exif=exif(b"", b"note", 1), icc_profile=SRGB)
    photo = read_photo(file.getvalue())
    assert write_photo(tmp_path / "out.avif", photo.image, photo) == []
    written = Image.open(tmp_path / "out.avif")
    assert written.info["icc_profile"] == SRGB
    assert written.getexif().get_ifd(0x8825)[1] == "N"
    assert np.abs(array(written) - array(picture())).mean() < 3


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)


def test_heic_asks_for_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match="is a HEIC picture: `pip install pillow-heif`"):
        read_photo(HEIC)


def test_heic_is_read_by_its_library(monkeypatch):
    """A stand-in for it: this shows that it is asked, not that it reads."""

    class Heif(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self):
            self._size, self._mode = (3, 2), "RGB"
            self.info["exif"] = exif(b"", b"note")

        def load(self):
            self.im = Image.new("RGB", (3, 2), (10, 20, 30)).im

    library = types.ModuleType("pillow_heif")
    library.register_heif_opener = lambda: Image.register_open("HEIF", Heif)
    monkeypatch.setitem(sys.modules, "pillow_heif", library)
    photo = read_photo(HEIC)
    assert photo.image.shape == (1, 3, 2, 3)
    assert photo.metadata["exif"] == exif(b"", b"note")


TRUE_NAMES = {
    b"GIF89a": "a GIF picture",
    b"BM" + bytes(60): "a BMP picture",
    b"8BPS\0\1": "Photoshop",
    b"\0\0\0\x0cjP  \r\n": "JPEG 2000",
    b"\xff\x0a\0\0": "JPEG XL",
    b"FUJIFILMCCD-RAW 0201": "Fujifilm raw",
    b"II*\0\x10\0\0\0CR\2\0": "Canon raw",
    b"\0\0\0\x18ftypcrx \0\0\0\1": "Canon raw",
    b"\0\0\0\x18ftypmp42\0\0\0\0": "a film",
    b"%PDF-1.7": "a PDF",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG",
    b"II*\0" + bytes([8, 0, 0, 0, 1, 0, 0x12, 0xC6, 1, 0, 4, 0, 0, 0, 1, 4, 0, 0]): "DNG",
    b"<!DOCTYPE html><p>no such photo": "a web page",
    b"a letter": "no readable",
    b"": "no readable",
}


@pytest.mark.parametrize("start", TRUE_NAMES)
def test_what_is_refused_is_refused_by_its_name(tmp_path, start):
    (tmp_path / "photo.jpg").write_bytes(start)
    with pytest.raises(PhotoError, match=f"photo.jpg is .*{TRUE_NAMES[start]}"):
        read_photo(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    ("at", "value", "name"), [(4, 12, "a 12-bit JPEG"), (1, 0xC3, "a lossless JPEG")]
)
def test_jpegs_of_rare_kinds_are_named(at, value, name):
    file = bytearray(jpeg())
    file[file.index(b"\xff\xc0") + at] = value
    with pytest.raises(PhotoError, match=name):
        read_photo(bytes(file))


# As tolerant as viewers


@pytest.mark.parametrize("part", [0.5, 0.9, 0.999])
def test_a_jpeg_whose_end_is_missing(tmp_path, part):
    whole = with_segments(jpeg(quality=95), everything())
    start = whole.index(b"\xff\xda")
    photo = read_photo(whole[: start + int(part * (len(whole) - start))])
    assert "ends early" in photo.notes[0]
    rows = int(30 * part)  # far above where the data end
    first = read_photo(whole).image
    assert torch.equal(
        photo.image.flip(3).transpose(2, 3)[..., :rows, :],
        first.flip(3).transpose(2, 3)[..., :rows, :],
    )
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    assert Image.open(tmp_path / "out.jpg").size == (144, 96)


# As a byte that was changed makes them: of a frame, of tables, of a camera, of nothing.
@pytest.mark.parametrize("stray", [0xC0, 0xC4, 0xDA, 0xDB, 0xE5, 0x02, 0xF3])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_a_marker_amid_its_pixels(stray, progressive):
    image = picture(192, 256)
    whole = jpeg(image, quality=95, progressive=progressive)
    start = whole.rindex(b"\xff\xda")
    at = start + int(0.7 * (len(whole) - start))
    assert 0xFF not in whole[at - 1 : at + 3]
    photo = read_photo(whole[:at] + bytes([0xFF, stray]) + whole[at + 2 :])
    assert photo.notes == ["bytes of the picture are damaged: it is read on behind them"]
    first = read_photo(whole).image
    rows = 192 if progressive else 120
    assert (photo.image - first)[..., :rows, :].abs().mean() < 0.02
    assert read_photo(whole).notes == []


def test_long_and_damaged_texts_of_a_png(tmp_path):
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))
    long = chunk(b"tEXt", b"Note\0" + b"x" * 3_000_000)
    broken = bytearray(chunk(b"tEXt", b"Author\0somebody"))
    broken[10] ^= 1
    photo = read_photo(png(extra=bomb + long + bytes(broken)))
    assert np.array_equal(pixels_of(photo), np.asarray(picture()))
    told = " ".join(photo.notes)
    assert "damaged tEXt chunk" in told
    assert "far too long" in told
    write_photo(tmp_path / "out.png", photo.image, photo)
    assert long in (tmp_path / "out.png").read_bytes()


def pixels_of(photo):
    return (photo.image[0].permute(1, 2, 0) * 255).round().byte().numpy()


def test_only_the_end_of_a_png_is_missing():
    photo = read_photo(png().removesuffix(chunk(b"IEND", b"")))
    assert np.array_equal(pixels_of(photo), np.asarray(picture()))


def test_a_png_cut_in_its_pixels():
    for image, file in ((picture(), png()), (None, deep_png(deep(3)))):
        photo = read_photo(file[: len(file) * 2 // 3])
        assert "ends early" in photo.notes[0]
        whole = read_photo(file)
        rows = photo.image.shape[-2] // 2
        assert torch.equal(photo.image[..., :rows, :], whole.image[..., :rows, :])
        assert photo.image[..., -1, :].max() == 0
        assert image is None or photo.bits == 8
        with pytest.raises(PhotoError, match="ends early"):
            read_mask(file[: len(file) * 2 // 3], whole)


def test_size_is_looked_at_before_pixels_are():
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")
    wide = bytearray(jpeg())
    at = wide.index(b"\xff\xc0")
    wide[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    for file in (huge, bytes(wide)):
        with pytest.raises(PhotoError, match="more than 179 megapixels"):
            read_photo(file)
    with pytest.raises(PhotoError, match="that is no photo"):
        read_photo(jpeg(), max_bytes=1000)


# Masks


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
def test_a_mask_with_soft_edges_is_one(tmp_path, ending):
    photo = read_photo(png())
    y, x = np.mgrid[:96, :144]
    soft = (128 + 60 * (25 - np.hypot(y - 50, x - 70))).clip(0, 255).astype(np.uint8)
    Image.fromarray(soft).convert("RGB").save(tmp_path / f"mask.{ending}")
    keep = read_mask(tmp_path / f"mask.{ending}", photo)
    assert abs(float(1 - keep.mean()) * keep.numel() - np.pi * 625) < 60


# Writing


def test_a_file_is_written_through_a_link(tmp_path):
    (tmp_path / "in.jpg").write_bytes(ultra_hdr()[0])
    (tmp_path / "link.jpg").symlink_to("target.jpg")
    save_bytes(tmp_path / "link.jpg", (tmp_path / "in.jpg").read_bytes())
    assert (tmp_path / "target.jpg").read_bytes() == (tmp_path / "in.jpg").read_bytes()
    assert (tmp_path / "link.jpg").is_symlink()


class _Stream:
    def __init__(self, content=b""):
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_pipe(monkeypatch, kind):
    file = io.BytesIO()
    picture().save(file, kind)
    monkeypatch.setattr(sys, "stdin", _Stream(file.getvalue()))
    photo = read_photo("-")
    out = _Stream()
    monkeypatch.setattr(sys, "stdout", out)
    write_photo("-", photo.image, photo)
    monkeypatch.undo()
    written = Image.open(io.BytesIO(out.buffer.getvalue()))
    assert (written.format, written.size) == (kind, picture().size)
    monkeypatch.setattr(sys, "stdin", _Stream(b"text"))
    with pytest.raises(PhotoError, match="standard input is no readable"):
        read_photo("-")


WRITE = """
import os, resource, signal, sys
from gdp_lite.files.saving import save_bytes
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
else:
    os.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
save_bytes(sys.argv[1], bytes(5000))
"""


@pytest.mark.parametrize("how", ["full", "killed"])
def test_a_full_disk_or_a_kill_leaves_the_old_file(tmp_path, how):
    (tmp_path / "photo.jpg").write_bytes(b"old")
    ran = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path / "photo.jpg"), how],
        capture_output=True,
        text=True,
    )
    assert ran.returncode != 0
    assert (tmp_path / "photo.jpg").read_bytes() == b"old"
    visible = [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    assert visible == ["photo.jpg"]
    if how == "full":
        assert "could not be written: File too large" in ran.stderr
        assert os.listdir(tmp_path) == ["photo.jpg"]


def test_bytes_of_a_name_that_cannot_be(tmp_path):
    for name in ("a\0b.jpg", "n" * 300 + ".jpg"):
        with pytest.raises(PhotoError):
            read_photo(name)
        with pytest.raises((PhotoError, ValueError)):
            save_bytes(tmp_path / name, b"")
