"""From a picture to a file's bytes, in the format that the photo had or another one."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from gdp_lite.files import jpeg, pixels, png, renewing, trailer, xmp
from gdp_lite.files.encode_jpeg import LARGEST, encode_jpeg
from gdp_lite.files.encode_tiff import encode_tiff
from gdp_lite.files.kinds import heif_works
from gdp_lite.files.photo import Photo, PhotoError
from gdp_lite.files.renewing import Change

ENDINGS = {
    **{".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"},
    **{".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF"},
}
_SIDES = {
    "JPEG": LARGEST,
    "WEBP": 16383,
    "AVIF": 65536,
    "HEIF": 65535,
    "PNG": 1 << 30,
    "TIFF": 1 << 30,
}
_QUALITY = 95  # of WebP, AVIF and HEIC where the photo was no lossless one


def kind_for(path: str | Path, photo: Photo | None = None) -> str:
    """The format that a name's ending says, or for ``-`` the photo's own; else `PhotoError`."""
    if str(path) == "-":
        return (photo.origin.kind if photo else "") or "PNG"
    kind = ENDINGS.get(Path(path).suffix.lower())
    if kind is None:
        raise PhotoError(f"{path}: the output must end in one of {', '.join(ENDINGS)}")
    if kind == "HEIF" and not heif_works():
        raise PhotoError(f"{path}: `pip install pillow-heif` to write HEIC")
    return kind


def check_size(path: str | Path, kind: str, photo: Photo) -> None:
    """Raise `PhotoError` where the format cannot hold the photo."""
    height, width = photo.image.shape[-2:]
    if max(height, width) > _SIDES[kind]:
        raise PhotoError(
            f"{path}: {kind} cannot hold this photo: {width} x {height}, "
            f"at most {_SIDES[kind]} pixels a side"
        )


def encode(
    image: Tensor,
    photo: Photo,
    kind: str,
    *,
    strip: bool = False,
    removed: bool = False,
    colour: bool = False,
) -> tuple[bytes, list[str]]:
    """A file's bytes, and a line about everything that it could not keep; see `write_photo`.

    Examples
    --------
    >>> image = torch.full((1, 3, 4, 6), 0.2)
    >>> data, notes = encode(image, Photo(image), "PNG")
    >>> data[1:4], notes
    (b'PNG', [])
    """
    grey = photo.grey and not colour
    turned = kind == photo.origin.kind == "JPEG"
    bits = photo.bits if kind in ("PNG", "TIFF") else 8
    array = pixels.from_tensor(image, bits, grey)
    if turned:
        array = pixels.stored(array, photo.orientation)
    alpha = _alpha(photo, bits)
    shown = pixels.picture_of(_to_8(array))
    change = Change(shown, photo, turned, strip, removed)
    if bits < photo.bits:
        change.note(f"{kind} holds 8 bits a value here: the photo's {photo.bits} are rounded")
    if alpha is not None and kind == "JPEG":
        change.note("JPEG holds no transparency: laid on white")
        shown = _on_white(shown, alpha)
        alpha = None
    if alpha is not None:
        if kind == "TIFF" and bits == 16:  # grey with transparency of so many bits is hardly read
            array = np.broadcast_to(array, (*array.shape[:2], 3))
        array = np.concatenate([array, alpha], 2)
    if kind == "JPEG":
        return _jpeg(change, shown), change.notes
    _other_losses(change, kind)
    if kind == "TIFF":
        return _tiff(change, array, alpha is not None), change.notes
    mode = "L" if grey and kind == "PNG" else "RGB"
    picture = pixels.picture_of(_to_8(array))
    profile = renewing.profile(change, mode) if mode == "L" or not grey else None
    if grey and mode == "RGB" and pixels.space_of(photo.metadata.get("icc_profile")) == "L":
        picture = _grey_to_srgb(change, picture)
    if kind == "PNG":
        return _png(change, array, profile), change.notes
    file = io.BytesIO()
    options: dict = {"quality": _QUALITY}
    if kind == "WEBP":
        options |= {"lossless": not photo.lossy and bool(photo.origin.kind), "exact": True}
        options["quality"] = _QUALITY if not options["lossless"] else 75  # of effort then
    elif not photo.lossy and photo.origin.kind:
        change.note(f"the photo came lossless, {kind} is not: PNG, TIFF and WebP keep it so")
    if kind == "AVIF":
        options["subsampling"] = "4:4:4"
    blocks = {"exif": _exif(change), "xmp": _xmp(change), "icc_profile": profile}
    blocks = {name: content for name, content in blocks.items() if content}
    picture.save(file, kind, **options, **blocks)
    return file.getvalue(), change.notes


def _to_8(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == np.uint8 else (array // 257).astype(np.uint8)


def _alpha(photo: Photo, bits: int) -> np.ndarray | None:
    if photo.alpha is None:
        return None
    return pixels.from_tensor(photo.alpha[None, None], bits)


def _on_white(picture: Image.Image, alpha: np.ndarray) -> Image.Image:
    white = Image.new(picture.mode, picture.size, "white")
    white.paste(picture, mask=Image.fromarray(alpha[..., 0]))
    return white


def _exif(change: Change) -> bytes:
    block = change.photo.metadata.get("exif", b"").removeprefix(jpeg.EXIF)
    return jpeg.EXIF + renewing.exif(block, change) if block else b""


def _xmp(change: Change) -> bytes:
    packet = change.photo.metadata.get("xmp", b"")
    return xmp.without_sequels(renewing.packet(packet, change)) if packet else b""


def _jpeg(change: Change, picture: Image.Image) -> bytes:
    photo = change.photo
    if photo.origin.mode == "CMYK" and photo.origin.kind in ("JPEG", "TIFF"):
        picture = _cmyk(change, picture)
    change.picture = picture
    return encode_jpeg(change, renewing.profile(change, picture.mode))


def _cmyk(change: Change, picture: Image.Image) -> Image.Image:
    """In the photo's inks: by its profile, or with its black."""
    origin, profile = change.photo.origin, change.photo.metadata.get("icc_profile")
    rgb = picture.convert("RGB")
    if origin.black is None:
        return pixels.through(rgb, None, profile, "CMYK")
    black = origin.black.numpy()
    black = pixels.stored(black, change.photo.orientation) if change.turned else black
    return Image.fromarray(pixels.to_cmyk(np.asarray(rgb), black), "CMYK")


def _other_losses(change: Change, kind: str) -> None:
    """Notes on what a photo's own format holds and this one does not."""
    photo, origin = change.photo, change.photo.origin
    lost = []
    if origin.kind == "JPEG":
        known = (
            *(jpeg.EXIF, jpeg.XMP, jpeg.XMP_EXTENSION, jpeg.ICC, jpeg.PHOTOSHOP, jpeg.MPF),
            *(b"JFIF\0", b"JFXX\0", b"Adobe"),
        )
        others = {m for m, c in origin.segments if m != jpeg.COMMENT and not c.startswith(known)}
        lost += [f"APP{marker - 0xE0}" for marker in sorted(others)]
        lost += trailer.describe(origin.segments, origin.trailer)
        lost += trailer.holds_maps(origin.segments)
    if kind != "TIFF" and origin.kind != kind:
        lost += [name for name in ("iptc", "photoshop") if photo.metadata.get(name)]
    if origin.kind != kind and photo.metadata.get("comment") and kind != "PNG":
        lost.append("the comment")
    if origin.kind == "PNG" and kind != "PNG":
        texts = [name for name, _, _ in origin.chunks if name in (b"tEXt", b"zTXt", b"iTXt")]
        kept = sum(key in photo.metadata for key in ("xmp", "comment"))
        lost += ["texts of the PNG"] if len(texts) > kept else []
    if kind in ("WEBP", "AVIF", "HEIF") and "dpi" in photo.metadata and origin.kind != kind:
        lost.append("dots per inch")
    if lost:
        change.note(f"{kind} does not hold: {', '.join(lost)}")


def _grey_to_srgb(change: Change, picture: Image.Image) -> Image.Image:
    """A grey picture with a profile, for a format that has colours alone."""
    bands = picture.split()
    try:
        rgb = pixels.through(bands[0], change.photo.metadata["icc_profile"], None, "RGB")
    except ValueError as error:
        change.note(f"{error}: left out")
        return picture
    change.note("the profile for grey pixels was applied: this format has colours alone")
    return Image.merge("RGBA", (*rgb.split(), bands[1])) if len(bands) > 1 else rgb


def _png(change: Change, array: np.ndarray, profile: bytes | None) -> bytes:
    if array.dtype == np.uint16:
        data = png.deep(array)
    else:
        file = io.BytesIO()
        pixels.picture_of(array).save(file, "PNG")
        data = file.getvalue()
    made, _ = png.parse(data)
    head = [pair for pair in made if pair[0] == b"IHDR"]
    body = [pair for pair in made if pair[0] == b"IDAT"]
    before, behind = png.kept(change.photo, profile, head[0][1])
    exif, packet = _exif(change).removeprefix(jpeg.EXIF), _xmp(change)
    if exif:
        before.append((b"eXIf", exif))
    if packet:
        before.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    return png.assemble([*head, *before, *body, *behind, (b"IEND", b"")])


def _tiff(change: Change, array: np.ndarray, alpha: bool) -> bytes:
    photo, said = change.photo, change.photo.metadata
    mode = "L" if array.shape[2] - alpha == 1 else "RGB"
    if photo.origin.mode == "CMYK" and photo.origin.kind in ("JPEG", "TIFF") and not alpha:
        array, mode = np.asarray(_cmyk(change, pixels.picture_of(array))), "CMYK"
    blocks = {700: _xmp(change), 34675: renewing.profile(change, mode)}
    photoshop, iptc = renewing.photoshop_and_iptc(change)
    blocks |= {34377: photoshop, 33723: iptc}
    exif = _exif(change).removeprefix(jpeg.EXIF)
    return encode_tiff(array, alpha, exif, {t: c for t, c in blocks.items() if c}, said.get("dpi"))
