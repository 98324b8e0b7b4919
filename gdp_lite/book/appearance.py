"""What a photo shows at 100%: noise by octave, how sharp its edges are, halos, its histogram.

To compare simulated captures with files of phones, and to state the noise of a capture whose
noise-free twin is known. Images are (H, W, 3) arrays in levels, 0 to 255; so are all noises.
"""

import numpy as np
from scipy import ndimage

# Octaves of the radial frequency in cycles a pixel, by their lower end; the finest goes to the
# corners.
BANDS = {
    "1/4": (1 / 4, 1),
    "1/8": (1 / 8, 1 / 4),
    "1/16": (1 / 16, 1 / 8),
    "1/32": (1 / 32, 1 / 16),
}
TILE = 64
TO_YCC = np.array(  # ITU-R BT.601, as in JFIF, without the offset of chroma
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)


def tiles(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (n, 64, 64, 3) float: all that fit. Raises ValueError where none does."""
    rows, columns = (n // TILE for n in image.shape[:2])
    if not rows * columns:
        raise ValueError(f"at least {TILE} x {TILE} pixels are needed, got {image.shape[:2]}")
    cut = image[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE, 3)
    return cut.swapaxes(1, 2).reshape(-1, TILE, TILE, 3).astype(float)


def levelled(cut: np.ndarray) -> np.ndarray:
    """Tiles (n, 64, 64, 3) less the plane that fits each best."""
    t = np.arange(TILE) - (TILE - 1) / 2
    cut = cut - cut.mean((1, 2), keepdims=True)
    for slope in (t[:, None, None], t[None, :, None]):
        cut = cut - slope * (cut * slope).mean((1, 2), keepdims=True) / (t**2).mean()
    return cut


def noise_levels(cut: np.ndarray) -> dict[str, float]:
    """Noise of luma and of chroma in each octave, by periodograms of tiles, a Hann window.

    White noise of standard deviation s reads s in every octave.

    Parameters
    ----------
    cut : (n, 64, 64, 3), RGB: flat parts of a photo, or of the difference of two.

    Returns
    -------
    "luma 1/4" (the finest) to "chroma 1/32", in levels; chroma: root mean square of Cb and Cr.
    """
    window = np.outer(np.hanning(TILE), np.hanning(TILE))[..., None]
    spectrum = np.fft.fft2(levelled(cut @ TO_YCC.T) * window, axes=(1, 2))
    power = (np.abs(spectrum) ** 2).mean(0) / (window**2).sum()
    f = np.fft.fftfreq(TILE)
    radius = np.hypot(f[:, None], f)
    return {
        f"{plane} {band}": float(part[(radius >= low) & (radius < high)].mean() ** 0.5)
        for plane, part in (("luma", power[..., 0]), ("chroma", power[..., 1:].mean(-1)))
        for band, (low, high) in BANDS.items()
    }


def true_noise(capture: np.ndarray, quiet: np.ndarray) -> dict[str, float]:
    """The noise of a capture whose twin without noise is known, both (H, W, 3).

    It is their difference: what two runs of a denoiser and of JPEG made of the sensor's noise.

    Returns
    -------
    In levels: "luma", "chroma", root mean squares; "luma dark", "mid", "bright", where the twin is
    below 85, below 170, above (nan where that is less than a hundredth); and `noise_levels`.
    """
    difference = np.asarray(capture, float) - quiet
    squares = (difference @ TO_YCC.T) ** 2
    light = quiet @ TO_YCC[0]
    found = {
        "luma": float(squares[..., 0].mean() ** 0.5),
        "chroma": float(squares[..., 1:].mean() ** 0.5),
    }
    for name, low, high in (("dark", -1, 85), ("mid", 85, 170), ("bright", 170, 256)):
        there = (light >= low) & (light < high)
        rms = squares[there, 0].mean() ** 0.5 if there.mean() > 0.01 else np.nan
        found[f"luma {name}"] = float(rms)
    return found | noise_levels(tiles(difference))


def flat_tiles(image: np.ndarray, share: float = 0.1) -> np.ndarray:
    """The share of (H, W, 3)'s tiles in which luma varies least once a plane is taken out.

    None that is clipped or nearly black; (n, 64, 64, 3), n = 0 where all are.
    """
    cut = tiles(image)
    clipped = ((cut < 2) | (cut > 253)).mean((1, 2, 3))
    cut = cut[((cut @ TO_YCC[0]).mean((1, 2)) > 10) & (clipped < 0.02)]
    order = (levelled(cut) @ TO_YCC[0]).std((1, 2)).argsort()
    return cut[order[: max(round(share * len(order)), 1)]]


def edges(image: np.ndarray) -> np.ndarray:
    """Rise and halo of the edges that stand free, each across its own direction.

    The level on either side is the median 4 to 8 pixels away; what varies there by more than an
    eighth of the step is no free edge.

    Returns
    -------
    (n, 2) array: 10 to 90% rise in pixels; overshoot beyond these levels, mean of both sides, as
    a share of the step. Steps below 40 levels are left out.
    """
    luma = np.asarray(image, float) @ TO_YCC[0]
    slope = np.stack([ndimage.gaussian_filter(luma, 1, order=o) for o in ((1, 0), (0, 1))])
    steep = np.hypot(*slope)
    places = np.argwhere(steep > 5)
    normal = (slope / np.maximum(steep, 1e-9))[:, places[:, 0], places[:, 1]].T
    ahead, behind = (
        ndimage.map_coordinates(steep, (places + s * normal).T, order=1) for s in (1, -1)
    )
    here = steep[tuple(places.T)]
    margin = (places.min(1) > 9) & (np.array(luma.shape) - places > 10).all(1)
    top = (here >= ahead) & (here > behind) & margin
    places, normal = places[top], normal[top]
    t = np.arange(-8, 8.25, 0.25)
    tangent = normal[:, ::-1] * (1, -1)
    lines = [  # three beside each other: less noise
        places[:, :, None] + normal[:, :, None] * t + k * tangent[:, :, None] for k in (-1, 0, 1)
    ]
    profile = np.mean(
        [ndimage.map_coordinates(luma, at.transpose(1, 0, 2), order=3) for at in lines], 0
    )
    low, high = profile[:, t <= -4], profile[:, t >= 4]
    floor, step = np.median(low, 1), np.median(high, 1) - np.median(low, 1)
    free = (step > 40) & (np.maximum(low.std(1), high.std(1)) < step / 8)
    p = (profile[free] - floor[free, None]) / step[free, None]
    if not len(p):
        return np.empty((0, 2))
    right, left = p[:, t >= 0], p[:, t <= 0][:, ::-1]  # each from the middle outward
    rise = (crossing(right - 0.9) + crossing(0.1 - left)) * 0.25
    halo = (right[:, :16].max(1) - 1 - left[:, :16].min(1)) / 2
    return np.stack([rise, halo], 1)


def crossing(values: np.ndarray) -> np.ndarray:
    """Where each row first goes above 0, in samples, between two by a straight line."""
    last = np.maximum((values > 0).argmax(1), 1)
    rows = np.arange(len(values))
    before, after = values[rows, last - 1], values[rows, last]
    return last - after / np.where(after > before, after - before, 1)


def appearance(image: np.ndarray) -> dict[str, float]:
    """All of it of one photo, or of a crop of one.

    Returns
    -------
    `noise_levels` of the flattest tenth of tiles, nan where all are clipped, and "chroma / luma" of
    the octave 1/16; "rise", the first decile of the free edges', and "halo", the median of the
    sharpest quarter of them, nan with fewer than 20 edges; of the histogram of luma "median",
    "clipped" and "black", the latter two shares.
    """
    flat = flat_tiles(image)
    found = noise_levels(flat if len(flat) else np.full((1, TILE, TILE, 3), np.nan))
    found["chroma / luma"] = found["chroma 1/16"] / found["luma 1/16"]
    rise, halo = edges(image).T
    found |= {"rise": np.nan, "halo": np.nan}
    if len(rise) >= 20:
        sharpest = rise <= np.quantile(rise, 0.25)
        found |= {"rise": float(np.quantile(rise, 0.1)), "halo": float(np.median(halo[sharpest]))}
    luma = np.asarray(image, float) @ TO_YCC[0]
    return found | {
        "median": float(np.median(luma)),
        "clipped": float((luma > 252).mean()),
        "black": float((luma < 3).mean()),
    }
