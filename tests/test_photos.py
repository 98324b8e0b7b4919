"""Photos in and out: what is in a file besides its pixels, and files that are no photos."""

import io
import os
import random
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin
from skimage import data

from gdp_lite.photos import PhotoError, check_output, read_mask, read_photo, write_photo

GPS = {1: "N", 2: (49.0, 30.0, 12.5), 3: "W", 4: (0.0, 7.0, 1.0)}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


def picture(height=32, width=48):
    """A small picture that no turn or flip maps to itself."""
    return Image.fromarray(data.astronaut()[20 : 20 + height, 180 : 180 + width])


def exif(orientation=1):
    """An EXIF block with what phones write: make, time, position, and a maker's own bytes."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = "Maker"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:02:29 12:00:00"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(range(64))
    tags.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return tags.tobytes()


def save(path, image=None, **options):
    (picture() if image is None else image).save(path, **options)
    return path


def chunk(kind, content):
    """A chunk of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width, height, depth, colour, pixels=None):
    """A PNG file made by hand, for what Pillow does not write."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    content = b"" if pixels is None else chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + content + chunk(b"IEND", b"")


def pixels_of(photo):
    return (photo.image[0].permute(1, 2, 0) * 255).round().byte().numpy()


# What is kept


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_upright_for_the_network_and_upright_in_a_png(tmp_path, ending, orientation):
    """Browsers disagree about a PNG's tag, so pixels are upright there and the tag says so."""
    source = save(tmp_path / f"in{ending}", exif=exif(orientation))
    photo = read_photo(source)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(source)))  # Pillow's word for viewers
    assert photo.orientation == orientation
    assert np.array_equal(pixels_of(photo), upright)

    write_photo(tmp_path / "out.png", photo.image, photo)
    written = Image.open(tmp_path / "out.png")
    assert np.array_equal(np.asarray(written), upright)
    assert written.getexif()[ExifTags.Base.Orientation] == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", ["raw", "tiff_lzw", "grey", "CMYK", "deep", "packed"])
def test_a_tiff_stands_as_viewers_show_it(tmp_path, how, orientation):
    small = picture().convert({"grey": "L", "CMYK": "CMYK"}.get(how, "RGB"))
    if how == "deep":
        small = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    packing = {"compression": how if how == "tiff_lzw" else "tiff_adobe_deflate"}
    packing = packing if how in ("tiff_lzw", "packed") else {}
    source = save(tmp_path / "in.tif", small, tiffinfo={274: orientation}, **packing)
    photo = read_photo(source)
    plain = read_photo(save(tmp_path / "plain.tif", small))
    turn = {1: None, **dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))}[orientation]
    shown = Image.fromarray(pixels_of(plain))  # by Pillow's constants, apart from the package
    shown = shown if turn is None else shown.transpose(Image.Transpose(turn))
    assert np.array_equal(pixels_of(photo), np.asarray(shown))
    write_photo(tmp_path / "out.tif", photo.image, photo)
    with Image.open(tmp_path / "out.tif") as written:
        assert written.size == shown.size
        assert written.getexif().get(274, 1) == 1
    assert np.abs(pixels_of(read_photo(tmp_path / "out.tif")) - np.asarray(shown, float)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_back_on_disk(tmp_path, orientation):
    source = save(tmp_path / "in.jpg", exif=exif(orientation), quality=95, subsampling=0)
    photo = read_photo(source)
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    before, after = Image.open(source), Image.open(tmp_path / "out.jpg")
    assert after.getexif()[ExifTags.Base.Orientation] == orientation
    assert after.size == before.size
    assert np.abs(np.asarray(after, float) - np.asarray(before, float)).mean() < 1


def test_jpeg_keeps_its_metadata_to_the_byte(tmp_path):
    kept = {"exif": exif(6), "icc_profile": PROFILE, "xmp": XMP, "comment": b"a note"}
    source = save(tmp_path / "in.jpg", dpi=(300, 300), **kept)
    photo = read_photo(source)
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    info = Image.open(tmp_path / "out.jpg").info
    assert {name: info[name] for name in kept} == kept
    assert info["dpi"] == (300, 300)


@pytest.mark.parametrize("source", ENDINGS)
@pytest.mark.parametrize("target", ENDINGS)
def test_exif_position_and_profile_survive_a_change_of_format(tmp_path, source, target):
    """The formats wrap the same EXIF block differently, and Pillow does not translate."""
    path = save(tmp_path / f"in{ENDINGS[source]}", exif=exif(8), icc_profile=PROFILE)
    photo = read_photo(path)
    out = tmp_path / f"out{ENDINGS[target]}"
    write_photo(out, photo.image, photo)
    written = Image.open(out)
    assert written.format == target
    as_stored = source == target == "JPEG"
    assert written.size == (picture().size if as_stored else picture().size[::-1])
    assert written.info["icc_profile"] == PROFILE
    block = exif(8) if as_stored else exif(1)  # the two differ in this number alone
    assert written.info["exif"].removeprefix(b"Exif\0\0") == block.removeprefix(b"Exif\0\0")
    assert written.getexif().get_ifd(ExifTags.IFD.GPSInfo) == GPS


def test_xmp_of_a_png_is_kept(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    photo = read_photo(save(tmp_path / "in.png", pnginfo=text))
    write_photo(tmp_path / "out.png", photo.image, photo)
    assert Image.open(tmp_path / "out.png").info["xmp"] == XMP


def test_exif_at_the_end_of_a_png(tmp_path):
    """The standard allows it, and Pillow knows it only once the pixels are read."""
    save(tmp_path / "in.png")
    plain, end = (tmp_path / "in.png").read_bytes(), chunk(b"IEND", b"")
    block = chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))
    (tmp_path / "in.png").write_bytes(plain.removesuffix(end) + block + end)
    photo = read_photo(tmp_path / "in.png")
    assert photo.orientation == 6
    assert photo.metadata["exif"] == exif(6)


def test_exif_as_text_in_a_png(tmp_path):
    """So GIMP and older ImageMagick store it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif(6)):8}\n{exif(6).hex()}\n", zip=True)
    photo = read_photo(save(tmp_path / "in.png", pnginfo=text))
    assert photo.orientation == 6
    assert photo.metadata["exif"] == exif(6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0no TIFF header",
        exif(6)[:20],
        exif(6)[:8] + b"\xff" * 40,
        exif(0),
        exif(9),
        exif(65535),
    ],
)
def test_a_broken_exif_block_is_kept_and_turns_nothing(tmp_path, block):
    photo = read_photo(save(tmp_path / "in.jpg", exif=block))
    assert photo.orientation == 1
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    assert Image.open(tmp_path / "out.jpg").info["exif"] == block
    assert Image.open(tmp_path / "out.jpg").size == picture().size


@pytest.mark.parametrize("dpi", [(0, 0), (1e6, 1e6), "high"])
def test_an_impossible_resolution_is_dropped(tmp_path, dpi):
    """JPEG has 16 bits for it; Pillow would write what is left of a larger number."""
    text = PngImagePlugin.PngInfo()
    if dpi == "high":
        text.add_text("dpi", dpi)  # Pillow puts it where the number would be
        photo = read_photo(save(tmp_path / "in.png", pnginfo=text))
    else:
        photo = read_photo(save(tmp_path / "in.png", dpi=dpi))
    assert "dpi" not in photo.metadata
    write_photo(tmp_path / "out.jpg", photo.image, photo)


def test_grey_stays_grey(tmp_path):
    grey = picture().convert("L")
    photo = read_photo(save(tmp_path / "in.png", grey))
    assert photo.image.shape == (1, 3, 32, 48)
    write_photo(tmp_path / "out.png", photo.image, photo)
    written = Image.open(tmp_path / "out.png")
    assert written.mode == "L"
    assert np.array_equal(np.asarray(written), np.asarray(grey))


@pytest.mark.parametrize("mode", ["P", "1", "LA", "RGBA"])
def test_pictures_that_lose_nothing_as_rgb_are_read(tmp_path, mode):
    """A palette, two levels, or a transparency channel that is opaque everywhere."""
    image = picture().convert("L").convert("LA") if mode == "LA" else picture().convert(mode)
    photo = read_photo(save(tmp_path / "in.png", image))
    assert np.array_equal(pixels_of(photo), np.asarray(image.convert("RGB")))


def test_the_first_picture_of_an_mpo_file_is_the_photo(tmp_path):
    """Phones put a preview or a second eye behind the photo and call it .jpg."""
    other = picture().transpose(Image.Transpose.ROTATE_180)
    save(tmp_path / "in.jpg", format="MPO", save_all=True, append_images=[other])
    assert Image.open(tmp_path / "in.jpg").format == "MPO"
    photo = read_photo(tmp_path / "in.jpg")
    assert np.array_equal(pixels_of(photo), np.asarray(Image.open(tmp_path / "in.jpg")))


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": "4:2:0"}])
def test_jpeg_is_written_with_little_loss(tmp_path, options):
    photo = read_photo(save(tmp_path / "in.jpg", **options))
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    again = read_photo(tmp_path / "out.jpg")
    assert (again.image - photo.image).abs().mean() < 1 / 255


def test_values_are_clipped_and_rounded(tmp_path):
    photo = read_photo(save(tmp_path / "in.png"))
    image = torch.full_like(photo.image, 99.6 / 255)
    image[..., 0], image[..., 1] = -0.5, 1.5
    write_photo(tmp_path / "out.png", image, photo)
    written = np.asarray(Image.open(tmp_path / "out.png"))
    assert set(written[:, 2:].ravel()) == {100}
    assert set(written[:, 0].ravel()) == {0}
    assert set(written[:, 1].ravel()) == {255}


def test_another_size_is_not_written(tmp_path):
    photo = read_photo(save(tmp_path / "in.png"))
    with pytest.raises(ValueError, match="is not the photo's"):
        write_photo(tmp_path / "out.png", photo.image[..., :-1], photo)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["iphone_4", "htc_desire", "nokia_3110c"])
def test_phone_photos_keep_everything(shared, tmp_path, name):
    source = shared / "eval" / "phones" / f"{name}.jpg"
    photo = read_photo(source)
    write_photo(tmp_path / "out.jpg", photo.image, photo)
    before, after = Image.open(source), Image.open(tmp_path / "out.jpg")
    assert after.size == before.size
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    block, written = before.info["exif"], after.info["exif"]
    preview = (block + b"\xff\xd8\xff").index(b"\xff\xd8\xff")  # made anew in its place
    assert len(written) == len(block)
    assert written[:preview] == block[:preview]
    assert (read_photo(tmp_path / "out.jpg").image - photo.image).abs().mean() < 1.5 / 255


@pytest.mark.parametrize("name", ["galaxy_s2", "iphone_4s", "iphone_5s", "sony_c905c"])
def test_crops_of_large_phone_photos_keep_everything(shared, tmp_path, name):
    """Two of these lie on their side; all have large EXIF blocks with previews in them.

    In the PNG the picture is upright; of the block's bytes none moves, and beyond the previews
    nothing changes but the turn and the size.
    """
    with Image.open(shared / "eval" / "phones" / f"{name}.jpg") as large:
        block = large.info["exif"]
        save(tmp_path / "in.jpg", large.crop((800, 800, 896, 864)), exif=block)
    photo = read_photo(tmp_path / "in.jpg")
    write_photo(tmp_path / "out.png", photo.image, photo)
    before, after = Image.open(tmp_path / "in.jpg"), Image.open(tmp_path / "out.png")
    upright = ImageOps.exif_transpose(before)
    assert np.array_equal(np.asarray(after), np.asarray(upright))
    written = b"Exif\0\0" + after.info["exif"].removeprefix(b"Exif\0\0")
    start = block.index(b"\xff\xd8\xff")  # of the first preview
    changed = [i for i in range(start) if block[i] != written[i]]
    assert len(written) == len(block)
    assert len(changed) <= 10
    tags = after.getexif()
    assert tags.get(ExifTags.Base.Orientation, 1) == 1
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    assert (inner[40962], inner[40963]) == upright.size


# What is refused


def _animated(path):
    turned = picture().transpose(Image.Transpose.ROTATE_180)
    save(path, save_all=True, append_images=[turned])


def _cut(path, part):
    save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


REFUSED = {
    "missing.jpg": (lambda path: None, "does not exist"),
    "folder.jpg": (lambda path: path.mkdir(), "is a folder"),
    "empty.jpg": (lambda path: path.touch(), "no readable"),
    "text.jpg": (lambda path: path.write_text("a letter\n" * 99), "no readable"),
    "head.jpg": (lambda path: _cut(path, 0.1), "no readable"),
    "cut.png": (lambda path: _cut(path, 0.05), "is damaged|no readable"),
    "cut.webp": (lambda path: _cut(path, 0.5), "is damaged|no readable"),
    "film.gif": (lambda path: save(path), "is a GIF picture"),
    "moving.png": (_animated, "animated"),
    "moving.webp": (_animated, "animated"),
    "bomb.png": (lambda path: path.write_bytes(png(60000, 60000, 8, 2)), "more than .* megapix"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_photo_is_refused_in_one_line(tmp_path, name):
    make, message = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(PhotoError, match=message) as caught:
        read_photo(tmp_path / name)
    assert len(str(caught.value).splitlines()) == 1
    assert name in str(caught.value)


def test_too_large_a_photo_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "large.png").write_bytes(png(2000, 1000, 8, 2))  # holds no pixels at all
    with pytest.raises(PhotoError, match=r"2\.0 megapixels \(2000 x 1000\); at most 1\.5"):
        read_photo(tmp_path / "large.png", max_pixels=1_500_000)
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(tmp_path / "large.png", max_pixels=2_000_000)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("ending", ENDINGS.values())
def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path, ending):
    """Some hundred bytes turned at random, most of them in the head, where structure is."""
    everything = {"exif": exif(6), "icc_profile": PROFILE[:400], "dpi": (72, 72), "xmp": XMP}
    save(tmp_path / f"good{ending}", **everything)
    good = (tmp_path / f"good{ending}").read_bytes()
    read_photo(tmp_path / f"good{ending}")
    path, refused = tmp_path / f"bad{ending}", []
    draw = random.Random(0)
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(draw.choice([1, 2, 8])):
            bad[draw.randrange(min(len(bad), draw.choice([1000, 10**6])))] = draw.randrange(256)
        path.write_bytes(bad)
        try:
            photo = read_photo(path, max_pixels=1_000_000)
            write_photo(tmp_path / "out.jpg", photo.image, photo)
        except PhotoError as error:
            refused.append(str(error))
    assert refused
    assert all(len(message.splitlines()) == 1 for message in refused)


# Masks


def mask_like(image, box=(3, 5, 20, 11)):
    """A white box in a black picture of the same size."""
    mask = Image.new("L", image.size)
    mask.paste(255, box)
    return mask


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_of_the_photo_as_shown(tmp_path, orientation):
    photo = read_photo(save(tmp_path / "in.jpg", exif=exif(orientation)))
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "in.jpg"))
    mask = mask_like(shown)
    keep = read_mask(save(tmp_path / "mask.png", mask), photo)
    assert np.array_equal(keep.numpy(), np.asarray(mask) == 0)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_the_photo_as_stored_is_turned_with_it(tmp_path, orientation):
    photo = read_photo(save(tmp_path / "in.jpg", exif=exif(orientation)))
    stored = mask_like(picture())
    keep = read_mask(save(tmp_path / "mask.png", stored), photo)
    stored.getexif()[ExifTags.Base.Orientation] = orientation
    assert np.array_equal(keep.numpy(), np.asarray(ImageOps.exif_transpose(stored)) == 0)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_mask_with_an_orientation_of_its_own(tmp_path, orientation):
    """A copy of the photo, painted over by a program that kept the EXIF block."""
    photo = read_photo(save(tmp_path / "in.jpg", exif=exif(orientation)))
    save(tmp_path / "mask.png", mask_like(picture()), exif=exif(orientation))
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "mask.png"))
    assert np.array_equal(read_mask(tmp_path / "mask.png", photo).numpy(), np.asarray(upright) == 0)


@pytest.mark.parametrize("ending", ENDINGS.values())
def test_a_lossy_mask_gives_the_same_box(tmp_path, ending):
    photo = read_photo(save(tmp_path / "in.png"))
    mask = mask_like(picture(), (8, 8, 24, 16)).convert("RGB")
    keep = read_mask(save(tmp_path / f"mask{ending}", mask), photo)
    assert np.array_equal(keep.numpy(), np.asarray(mask)[..., 0] == 0)


MASKS = {
    "black": (lambda path: save(path, Image.new("L", (48, 32))), "black everywhere"),
    "ones": (lambda path: save(path, Image.new("L", (48, 32), 1)), "black everywhere"),
    "white": (lambda path: save(path, Image.new("L", (48, 32), 255)), "white everywhere"),
    "small": (
        lambda path: save(path, Image.new("L", (47, 32))),
        "is 47 x 32, the photo 48 x 32",
    ),
    "turned": (
        lambda path: save(path, Image.new("L", (32, 48))),
        "is 32 x 48, the photo 48 x 32",
    ),
    "huge": (lambda path: path.write_bytes(png(9000, 9000, 8, 0)), "is 9000 x 9000"),
    "cut": (lambda path: _cut(path, 0.5), "damaged"),
    "clear": (lambda path: save(path, Image.new("RGBA", (48, 32))), "transparency"),
    "photo": (lambda path: save(path), "is no mask: [0-9]+% of it are neither black nor white"),
    "moving": (_animated, "animated"),
    "missing": (lambda path: None, "does not exist"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "text": (lambda path: path.write_text("white"), "no readable"),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_useless_mask_is_refused_in_one_line(tmp_path, name):
    photo = read_photo(save(tmp_path / "in.png"))
    make, message = MASKS[name]
    make(tmp_path / "mask.png")
    with pytest.raises(PhotoError, match=message) as caught:
        read_mask(tmp_path / "mask.png", photo)
    assert len(str(caught.value).splitlines()) == 1


# Where to write


OUTPUTS = {
    "the input": (lambda folder: folder / "in.png", "is the input itself"),
    "the input, spelled otherwise": (
        lambda folder: folder / ".." / folder.name / "in.png",
        "is the input itself",
    ),
    "a link to the input": (lambda folder: folder / "soft.png", "is the input itself"),
    "the input's second name": (lambda folder: folder / "hard.png", "is the input itself"),
    "another file": (lambda folder: folder / "other.png", "exists already"),
    "a link to nowhere": (lambda folder: folder / "dangling.png", "exists already"),
    "a folder": (lambda folder: folder / "folder.png", "is a folder"),
    "in no folder": (lambda folder: folder / "none" / "out.png", "folder .* does not exist"),
    "in a file": (lambda folder: folder / "in.png" / "out.png", "folder .* does not exist"),
    "without an ending": (lambda folder: folder / "out", "must end in one of"),
    "with another ending": (lambda folder: folder / "out.gif", "must end in one of"),
}


@pytest.fixture
def folder(tmp_path):
    """A folder with a photo in.png and other things of many kinds."""
    save(tmp_path / "in.png")
    save(tmp_path / "other.png", picture().convert("L"))
    (tmp_path / "soft.png").symlink_to("in.png")
    os.link(tmp_path / "in.png", tmp_path / "hard.png")
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_cannot_or_must_not_be_written(folder, name):
    place, message = OUTPUTS[name]
    with pytest.raises(PhotoError, match=message):
        check_output(place(folder), folder / "in.png")


@pytest.mark.parametrize("name", ["new.png", "NEW.JPG", "mit Leerzeichen ü ☃.webp"])
def test_a_new_name_is_fine(folder, name):
    check_output(folder / name, folder / "in.png")


@pytest.mark.parametrize("name", ["in.png", "soft.png", "hard.png", "other.png", "dangling.png"])
def test_existing_files_are_replaced_when_told(folder, name):
    check_output(folder / name, folder / "in.png", overwrite=True)
    with pytest.raises(PhotoError, match="is a folder"):
        check_output(folder / "folder.png", folder / "in.png", overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder):
    folder.chmod(0o500)
    with pytest.raises(PhotoError, match="not writable"):
        check_output(folder / "new.png", folder / "in.png")


def test_what_the_format_cannot_hold_is_told_before_the_work(tmp_path):
    """WebP has 16383 pixels a side, JPEG (libjpeg's) 65500."""
    for width, ending, kind in ((17000, ".webp", "WEBP"), (66000, ".jpg", "JPEG")):
        wide = read_photo(save(tmp_path / "wide.png", Image.new("L", (width, 1))))
        check_output(tmp_path / "out.png", tmp_path / "wide.png", photo=wide)
        for check in (check_output, lambda path, _, photo: write_photo(path, photo.image, photo)):
            with pytest.raises(PhotoError, match=f"{kind} cannot hold this photo"):
                check(tmp_path / f"out{ending}", tmp_path / "wide.png", photo=wide)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wide.png"]


def test_a_failed_write_leaves_nothing_behind(folder):
    photo = read_photo(folder / "in.png")
    before = sorted(folder.iterdir())
    with pytest.raises(PhotoError, match="could not be written"):
        write_photo(folder / "folder.png", photo.image, photo)
    assert sorted(folder.iterdir()) == before


def test_the_old_file_stays_until_the_new_one_is_complete(folder, monkeypatch):
    """Ctrl-C in the middle of writing."""
    photo = read_photo(folder / "in.png")
    before = {p: p.read_bytes() for p in folder.glob("*.png") if p.is_file()}

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_photo(folder / "other.png", 1 - photo.image, photo)
    assert {p: p.read_bytes() for p in before} == before
    assert not list(folder.glob(".*"))


def test_replacing_a_link_replaces_what_it_points_to(folder):
    photo = read_photo(folder / "in.png")
    original = (folder / "in.png").read_bytes()
    write_photo(folder / "soft.png", 1 - photo.image, photo)
    assert (folder / "soft.png").is_symlink()
    assert (folder / "in.png").read_bytes() != original
    assert (folder / "hard.png").read_bytes() == original  # a second name is another file then
    write_photo(folder / "dangling.png", photo.image, photo)
    assert (folder / "nowhere.png").exists()


def test_a_replaced_file_keeps_its_mode(folder):
    photo = read_photo(folder / "in.png")
    (folder / "other.png").chmod(0o640)
    write_photo(folder / "other.png", photo.image, photo)
    assert (folder / "other.png").stat().st_mode & 0o777 == 0o640


def test_names_as_long_as_the_file_system_allows(tmp_path):
    photo = read_photo(save(tmp_path / "in.png"))
    path = tmp_path / ("n" * 251 + ".png")
    write_photo(path, photo.image, photo)
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(picture()))


def test_the_file_is_what_its_ending_says(tmp_path):
    photo = read_photo(save(tmp_path / "in.png"))
    for name, kind in {"a.JPG": "JPEG", "b.Jpeg": "JPEG", "c.PNG": "PNG", "d.WebP": "WEBP"}.items():
        write_photo(tmp_path / name, photo.image, photo)
        written = Image.open(io.BytesIO((tmp_path / name).read_bytes()))
        assert (written.format, written.size) == (kind, picture().size)
