"""A phone's capture, simulated: no model that the package restores with. For benchmarks and book.

From a scene to the bytes of a JPEG file. Images are (H, W, 3) float32 arrays, as OpenCV and
scikit-image take them; each says whether it is in linear light or encoded (display range). A
stage is a function of its own, and does nothing at the default of `Capture`.

The scenes are sharp, downscaled photos, each taken for the light on a whole sensor, pixel by
pixel. A capture at 100% is thus as soft as lens, demosaicking and denoiser make it, as phone files
are. Left out: merging of several frames, colour fringes, defects of single pixels, local tone
mapping, upscaling.
"""

import io
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from gdp_lite.book.appearance import TO_YCC
from gdp_lite.image import linear_to_srgb, srgb_to_linear

LUMA = TO_YCC[0].astype(np.float32)
PEDESTAL = 1 / 16  # of the raw range: noise below black is kept, as sensors do
MAKE, MODEL, ISO, EXPOSURE_TIME, EXIF_IFD = 0x010F, 0x0110, 0x8827, 0x829A, 0x8769

Field = tuple[np.ndarray, np.ndarray]  # x and y of each pixel in the frame, see `field`


@dataclass(frozen=True)
class Capture:
    """What happens to a scene on its way to the file; by default nothing that can be left out.

    What `draw_capture` draws from, and after whom:

    ================================  =======================================================
    iso, 100 to 3200                  log-uniform
    exposure_time, 1/500 to 1/15 s    log-uniform; only written into the file
    exposure, -1.5 to 1 stops         normal(-0.2, 0.6), clipped: phones protect highlights
                                      (Hasinoff et al. 2016)
    uneven, 0 to 1 stops              uniform: light that falls off across the frame
    uneven_angle, 0 to 360 degrees    uniform
    vignetting, 0 to 0.5 stops        uniform: what is left in the corner (Goldman 2010)
    blur, 0.4 to 0.8 pixels           uniform: lens and pixel aperture, Gaussian
    corner_blur, 0 to 0.6 pixels      uniform, added in the corner (Kee et al. 2011). All blurs
                                      are mild, as Delbracio et al. 2021 assume of phones
    defocus, 0 to 2 pixels            radius of a disc; 0 in two of three, else uniform
    motion, 0 to 4 pixels             length of a line; 0 in two of three, else uniform
                                      (Levin et al. 2009 measured longer ones)
    motion_angle, 0 to 180 degrees    uniform
    shot, 2e-4 to 0.024               variance per unit of light, 0.012 at ISO 3200 and
                                      proportional to ISO, within a factor of 2 (sensors
                                      differ): Brooks et al. 2019 draw 1e-4 to 0.012,
                                      Zamir et al. 2020 7e-4 to 0.022 for phones
    read                              variance, ln read = 2.18 ln shot + 1.2 + normal(0, 0.26)
                                      (Brooks et al. 2019)
    red_gain, 1.9 to 2.4              uniform, white balance (Brooks et al. 2019)
    blue_gain, 1.5 to 1.9             the same
    red_error, blue_error, +-0.15     of the logarithm of the gain: normal(0, 0.05), clipped
                                      (Gijsenij et al. 2011: errors of a few degrees)
    crosstalk, 0.1 to 0.3             uniform: share of the mean that the sensor's filters add to
                                      each colour; the colour matrix undoes it, noise grows
                                      (as Brooks et al.'s matrices of four cameras)
    luma_denoise, 1 to 3.5            uniform, in standard deviations of the noise at mid-grey
    chroma_denoise, 4 to 32           the same, log-uniform, and 0 in one of six: old phones
    luma_octaves, 1 to 3              uniform: how coarse the noise is that is still smoothed
    chroma_octaves, 1 to 3            the same, from half the size on
    sharpen, 0.3 to 2                 uniform, amount of an unsharp mask
    halo, 0.8 to 1.6 pixels           uniform, its width
    contrast, 0 to 0.5                uniform, share of a smoothstep (Brooks et al. 2019)
    saturation, 1 to 1.3              uniform
    quality, 85 to 97                 uniform, of libjpeg; chroma is halved
    ================================  =======================================================

    The denoisers' and the sharpener's ranges have no source: makers publish none. They are set so
    that captures look as phone files do, see ``benchmarks/captures.py``.
    """

    iso: int = 100
    exposure_time: float = 0.01
    exposure: float = 0.0
    uneven: float = 0.0
    uneven_angle: float = 0.0
    vignetting: float = 0.0
    blur: float = 0.0
    corner_blur: float = 0.0
    defocus: float = 0.0
    motion: float = 0.0
    motion_angle: float = 0.0
    shot: float = 0.0
    read: float = 0.0
    red_gain: float = 1.0
    blue_gain: float = 1.0
    red_error: float = 0.0
    blue_error: float = 0.0
    crosstalk: float = 0.0
    luma_denoise: float = 0.0
    chroma_denoise: float = 0.0
    luma_octaves: int = 1
    chroma_octaves: int = 1
    sharpen: float = 0.0
    halo: float = 1.0
    contrast: float = 0.0
    saturation: float = 1.0
    quality: int = 95


def draw_capture(rng: np.random.Generator, iso: int | None = None) -> Capture:
    """A `Capture` with every parameter drawn from the ranges stated there; iso may be given."""

    def sometimes(most: float) -> float:
        return rng.uniform(0, most) * (rng.random() < 1 / 3)

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    drawn_iso = round(log_uniform(100, 3200))
    iso = iso or drawn_iso
    shot = 0.012 * iso / 3200 * log_uniform(0.5, 2)
    return Capture(
        iso=iso,
        exposure_time=log_uniform(1 / 500, 1 / 15),
        exposure=float(np.clip(rng.normal(-0.2, 0.6), -1.5, 1)),
        uneven=rng.uniform(0, 1),
        uneven_angle=rng.uniform(0, 360),
        vignetting=rng.uniform(0, 0.5),
        blur=rng.uniform(0.4, 0.8),
        corner_blur=rng.uniform(0, 0.6),
        defocus=sometimes(2),
        motion=sometimes(4),
        motion_angle=rng.uniform(0, 180),
        shot=shot,
        read=float(np.exp(2.18 * np.log(shot) + 1.2 + rng.normal(0, 0.26))),
        red_gain=rng.uniform(1.9, 2.4),
        blue_gain=rng.uniform(1.5, 1.9),
        red_error=float(np.clip(rng.normal(0, 0.05), -0.15, 0.15)),
        blue_error=float(np.clip(rng.normal(0, 0.05), -0.15, 0.15)),
        crosstalk=rng.uniform(0.1, 0.3),
        luma_denoise=rng.uniform(1, 3.5),
        chroma_denoise=log_uniform(4, 32) * (rng.random() < 5 / 6),
        luma_octaves=int(rng.integers(1, 4)),
        chroma_octaves=int(rng.integers(1, 4)),
        sharpen=rng.uniform(0.3, 2),
        halo=rng.uniform(0.8, 1.6),
        contrast=rng.uniform(0, 0.5),
        saturation=rng.uniform(1, 1.3),
        quality=int(rng.integers(85, 98)),
    )


def to_linear(image: np.ndarray) -> np.ndarray:
    """Display range -> linear light, (H, W, 3)."""
    return srgb_to_linear(torch.from_numpy(image)).numpy()


def encode(light: np.ndarray) -> np.ndarray:
    """Linear light, clipped to [0, 1] -> display range, (H, W, 3)."""
    return linear_to_srgb(torch.from_numpy(light).clamp(0, 1)).numpy()


def field(height: int, width: int) -> Field:
    """Where each pixel is in the frame: (x, y), each (height, width), the corners at distance 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    corner = max(np.hypot(x[0, 0], y[0, 0]), 1)
    return x / corner, y / corner


def expose(light: np.ndarray, where: Field, capture: Capture) -> np.ndarray:
    """Exposure, light that falls off to one side, vignetting: a smooth gain. Linear light.

    where: of `field`, for these pixels.
    """
    x, y = where
    angle = np.deg2rad(capture.uneven_angle)
    side = (x * np.cos(angle) + y * np.sin(angle)) / 2  # a stop from corner to corner
    stops = capture.exposure + capture.uneven * side - capture.vignetting * (x**2 + y**2)
    return light * np.exp2(stops)[..., None].astype(np.float32)


def blur(light: np.ndarray, where: Field, capture: Capture) -> np.ndarray:
    """Defocus and motion, the same everywhere; then the lens, softer to the corners. Linear light.

    Between Gaussians of five widths from centre to corner each pixel takes the nearest two.
    """
    if capture.defocus:
        light = filtered(light, disc(capture.defocus))
    if capture.motion:
        light = filtered(light, line(capture.motion, capture.motion_angle))
    if not (capture.blur or capture.corner_blur):
        return light
    radius = np.hypot(*where)
    out, centres = np.zeros_like(light), np.linspace(0, 1, 5)
    for centre in centres:
        share = np.clip(1 - np.abs(radius - centre) * (len(centres) - 1), 0, 1)
        if share.any():
            sigma = capture.blur + capture.corner_blur * centre**2
            soft = light  # where the lens is perfect, as OpenCV takes no width of 0
            if sigma:
                soft = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
            out += share[..., None].astype(np.float32) * soft
    return out


def filtered(light: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with a small kernel, mirrored at the border."""
    return cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT)


def disc(radius: float) -> np.ndarray:
    """Kernel of defocus: a disc with a soft rim, sum 1."""
    reach = int(np.ceil(radius + 0.5))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def line(length: float, angle: float) -> np.ndarray:
    """Kernel of motion: a centred line, an angle in degrees, sum 1."""
    reach = int(np.ceil(length / 2 + 0.5))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    along = np.clip(length / 2 + 0.5 - np.abs(x * cos + y * sin), 0, 1)
    kernel = along * np.clip(1 - np.abs(y * cos - x * sin), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def to_sensor(light: np.ndarray, capture: Capture) -> np.ndarray:
    """What the filters of the sensor let through: less red and blue, colours mixed."""
    mixed = light + capture.crosstalk * (light.mean(-1, keepdims=True) - light)
    return mixed / np.array([capture.red_gain, 1, capture.blue_gain], np.float32)


def mosaic(colours: np.ndarray) -> np.ndarray:
    """One colour a pixel, (H, W, 3) -> (H, W): R G on even lines, G B on odd ones."""
    raw = colours[..., 1].copy()
    raw[::2, ::2], raw[1::2, 1::2] = colours[::2, ::2, 0], colours[1::2, 1::2, 2]
    return raw


def add_sensor_noise(raw: np.ndarray, capture: Capture, rng: np.random.Generator) -> np.ndarray:
    """Photons counted and read out: variance shot * raw + read; then the sensor clips at 1.

    Poisson and Gaussian, (H, W).
    """
    if capture.shot:
        raw = capture.shot * rng.poisson(np.maximum(raw, 0) / capture.shot)
    noise = rng.normal(0, np.sqrt(capture.read), raw.shape)
    return np.minimum(raw + noise, 1).astype(np.float32)


def demosaic(raw: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3): OpenCV's edge-aware demosaicking, in 16 bits above a pedestal."""
    levels = np.clip(PEDESTAL + (1 - PEDESTAL) * raw, 0, 1) * 65535
    rgb = cv2.demosaicing(levels.round().astype(np.uint16), cv2.COLOR_BayerRGGB2RGB_EA)
    return (rgb.astype(np.float32) / 65535 - PEDESTAL) / (1 - PEDESTAL)


def balance(sensor: np.ndarray, capture: Capture) -> np.ndarray:
    """White balance with its error, then the colour matrix: the inverse of `to_sensor`, but for it.

    Where the sensor is clipped the result stays white: no gain is less than that of its colour.
    """
    error = np.exp([capture.red_error, 0, capture.blue_error])
    gains = np.array([capture.red_gain, 1, capture.blue_gain]) * error / error.min()
    mixed = np.minimum(sensor * gains.astype(np.float32), 1)
    mean = mixed.mean(-1, keepdims=True)
    return mean + (mixed - mean) / (1 - capture.crosstalk)


def noise_at_grey(capture: Capture) -> float:
    """The noise's standard deviation in display range, before any denoising, at mid-grey 0.18."""
    slope = 1.055 / 2.4 * 0.18 ** (1 / 2.4 - 1)  # of the sRGB curve
    return slope * np.sqrt(capture.shot * 0.18 + capture.read)


def denoise(image: np.ndarray, capture: Capture) -> np.ndarray:
    """The phone's own: luma and chroma apart, each by `smooth`. Display range.

    Thresholds are `noise_at_grey` times a strength, so more noise stays in the shade; and what is
    coarser than the octaves that are smoothed stays everywhere: that is why files are blotchy.
    Chroma is smoothed where luma is alike too, or colours would run over edges.
    """
    sigma = noise_at_grey(capture)
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    luma, chroma = ycc[..., 0], ycc[..., 1:]
    if capture.luma_denoise:
        luma = smooth(luma, capture.luma_denoise * sigma, capture.luma_octaves, 1.7)
    if capture.chroma_denoise:
        half = cv2.resize(ycc, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        half = smooth(half, capture.chroma_denoise * sigma, capture.chroma_octaves, 3)
        chroma = cv2.resize(half, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., 1:]
    return cv2.cvtColor(np.dstack([luma, chroma]), cv2.COLOR_YCrCb2RGB)


def smooth(image: np.ndarray, threshold: float, octaves: int, width: float) -> np.ndarray:
    """Bilateral filters, the coarsest octave first; white noise halves from one to the next.

    (H, W) or (H, W, 3); what differs by more than the threshold is kept apart. width: of the
    window, a standard deviation in pixels of each octave.
    """
    if octaves > 1 and min(image.shape[:2]) > 1:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        change = smooth(half, threshold / 2, octaves - 1, width) - half
        image = image + cv2.resize(change, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.bilateralFilter(image, -1, threshold, width)


def sharpen(image: np.ndarray, capture: Capture) -> np.ndarray:
    """An unsharp mask of luma, with the halos that it draws. Display range."""
    luma = image @ LUMA
    detail = luma - cv2.GaussianBlur(luma, (0, 0), capture.halo)
    return image + capture.sharpen * detail[..., None]


def tone(image: np.ndarray, capture: Capture) -> np.ndarray:
    """A tone curve, some of a smoothstep, then saturation. Display range, clipped."""
    image = np.clip(image, 0, 1)
    image = image + capture.contrast * (image**2 * (3 - 2 * image) - image)
    luma = (image @ LUMA)[..., None]
    return np.clip(luma + capture.saturation * (image - luma), 0, 1)


def jpeg(image: np.ndarray, capture: Capture) -> bytes:
    """The file's bytes: a JPEG 4:2:0 whose EXIF tells ISO, exposure time and who made it."""
    exif = Image.Exif()
    exif[MAKE], exif[MODEL] = "gdp_lite", "gdp_lite simulator"
    exif.get_ifd(EXIF_IFD).update({ISO: capture.iso, EXPOSURE_TIME: capture.exposure_time})
    file, pixels = io.BytesIO(), (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(
        file, "JPEG", quality=capture.quality, subsampling="4:2:0", exif=exif
    )
    return file.getvalue()


def photograph(
    scene: np.ndarray,
    capture: Capture,
    rng: np.random.Generator | None = None,
    where: Field | None = None,
) -> bytes:
    """The file that a phone makes of a scene.

    Parameters
    ----------
    scene : (H, W, 3) float32, display range.
    capture : Capture
    rng : numpy Generator of the noise; None: the same capture without noise, through the same
        denoiser with the same thresholds.
    where : of `field`, where the scene is a part of the frame; by default it is all of it.

    Returns
    -------
    bytes, a JPEG file.
    """
    where = field(*scene.shape[:2]) if where is None else where
    light = blur(expose(to_linear(scene), where, capture), where, capture)
    raw = np.minimum(mosaic(to_sensor(light, capture)), 1)
    if rng is not None:
        raw = add_sensor_noise(raw, capture, rng)
    image = encode(balance(demosaic(raw), capture))
    return jpeg(tone(sharpen(denoise(image, capture), capture), capture), capture)


def ideal(scene: np.ndarray, capture: Capture, where: Field | None = None) -> np.ndarray:
    """The scene in the light, colours and tone of the capture, and nothing else done to it.

    What blur and noise alone are restored to. Arguments as in `photograph`; display range.
    """
    where = field(*scene.shape[:2]) if where is None else where
    light = expose(to_linear(scene), where, capture)
    sensor = np.minimum(to_sensor(light, capture), 1)
    return tone(encode(balance(sensor, capture)), capture)


def parameters(capture: Capture) -> dict[str, float]:
    """The numbers of a capture, a dict, as a manifest holds them: seven digits."""
    return {k: float(f"{v:.7g}") if isinstance(v, float) else v for k, v in asdict(capture).items()}
