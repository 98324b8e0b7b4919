"""Unconditional samples of the prior, and whether they are copies of training photos.

    python benchmarks/prior_samples.py --shared ../shared

Draws 16 images of 64 x 64 pixels by Eq. (4), all 1000 steps, fixed seed, with x_{0|t} clipped to
the range of images in every step, as is usual: without it the network's errors at large t grow into
saturated colours. Then searches all 64 x 64 patches of all training photos, and their mirror
images, for the one nearest to each. The distance is the root-mean-square difference divided by the
standard deviation of the image searched for around its mean colour, so that a flat patch of that
colour is at distance 1. Two controls: patches of photos that were never trained on (train/val),
which cannot be copies, and training patches under noise of 10 of 255, which are. Writes
gdp_lite/book/results/prior_samples.jpg, .csv. About 20 minutes on two cores.
"""

import itertools

import torch
from common import arguments, centre_crops, photos
from PIL import Image

from gdp_lite.book.results import FOLDER, save_results
from gdp_lite.diffusion import posterior_mean, posterior_std, predict_x0
from gdp_lite.image import to_display, to_uint8
from gdp_lite.prior import load_prior

SIZE, COUNT = 64, 16
CANVAS = 320  # no photo of the training set is larger


@torch.no_grad()
def draw(prior):
    """COUNT samples in display range, clipped."""
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(COUNT, 3, SIZE, SIZE, generator=generator)
    for t in range(prior.schedule.T, 0, -1):
        noise = torch.randn(x_t.shape, generator=generator)
        x0_hat = predict_x0(x_t, t, prior.eps(x_t, t), prior.schedule).clamp(-1, 1)
        mean = posterior_mean(x0_hat, x_t, t, prior.schedule)
        x_t = mean + float(posterior_std(t, prior.schedule)) * noise
    return to_display(x_t).clamp(0, 1)


def some_patches(folder, every, sigma=0.0):
    """The centre patches of COUNT photos of a folder, with noise."""
    generator = torch.Generator().manual_seed(1)
    chosen = itertools.islice(centre_crops(folder, SIZE), 0, COUNT * every, every)
    patches = torch.cat([patch for _, patch in chosen])
    noise = torch.randn(patches.shape, generator=generator)
    return (patches + sigma * noise).clamp(0, 1)


def nearest(patches, folder):
    """Distance of each patch to the nearest patch of any photo, (B,): see the module."""
    patches = torch.cat([patches, patches.flip(-1)])
    spectra, of_ones = spectrum(patches).conj(), spectrum(torch.ones(1, 3, SIZE, SIZE)).conj()
    least = torch.full((len(patches),), float("inf"))
    for _, photo in photos(folder):
        height, width = (n - SIZE + 1 for n in photo.shape[-2:])
        # ||a - b||^2 = ||a||^2 + ||b||^2 - 2 <a, b>, for all places at once by FFT
        products = correlate(spectrum(photo), spectra)[:, :height, :width]
        energy = correlate(spectrum(photo.square()), of_ones)[:, :height, :width]
        least = torch.minimum(least, (energy - 2 * products).flatten(1).min(1)[0])
    squared = (least + patches.square().flatten(1).sum(1)).clamp(min=0)
    spread = patches.var((2, 3)).mean(1).sqrt()  # around the mean colour
    distance = (squared / patches[0].numel()).sqrt() / spread
    return torch.minimum(*distance.chunk(2))


def spectrum(image):
    """Fourier transform of (B, 3, H, W) on the canvas that all photos fit on."""
    return torch.fft.rfft2(image, s=(CANVAS, CANVAS))


def correlate(photo, patches):
    """<patch, piece of the photo> for every place of the piece, summed over channels."""
    return torch.fft.irfft2((photo * patches).sum(1), s=(CANVAS, CANVAS))


def main():
    parser = arguments(__doc__, "train/photos, train/val")
    parser.add_argument("--prior", help="another prior: folder or hub id")
    args = parser.parse_args()
    train = f"{args.shared}/train/photos"
    samples = draw(load_prior(args.prior))
    sheet = samples.reshape(2, 8, 3, SIZE, SIZE).permute(2, 0, 3, 1, 4).reshape(3, 2 * SIZE, -1)
    sheet = sheet.repeat_interleave(2, 1).repeat_interleave(2, 2)
    Image.fromarray(to_uint8(sheet[None])).save(FOLDER / "prior_samples.jpg", quality=90)
    print("drawn", flush=True)
    kinds = {
        "sample": samples,
        "held back": some_patches(f"{args.shared}/train/val", 11),
        "training patch, noisy": some_patches(train, 111, 10 / 255),
    }
    found = nearest(torch.cat(list(kinds.values())), train).split(COUNT)
    rows = [
        {"kind": kind, "number": i, "distance": float(distance)}
        for kind, distances in zip(kinds, found, strict=True)
        for i, distance in enumerate(distances)
    ]
    for kind, distances in zip(kinds, found, strict=True):
        print(f"{kind}: median {distances.median():.2f}, nearest {distances.min():.2f}")
    save_results("prior_samples", rows)


if __name__ == "__main__":
    main()
