"""Draw book/before_after.jpg: the first chapter's photo and its restoration, side by side.

python benchmarks/before_after.py
"""

from pathlib import Path

import torch
from PIL import Image
from skimage import data

from gdp_lite.book.capture import capture
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import GaussianBlur
from gdp_lite.estimators import estimate_noise
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore


def main():
    generator = torch.Generator().manual_seed(0)
    x = from_uint8(data.chelsea()[20:212, 90:346])
    y = capture(x, GaussianBlur(9, 1.0), 15 / 255, 92, generator)
    assumed = GaussianBlur(9, 1.0, estimate_noise(y))
    restored = restore(y, assumed, load_prior(), generator=generator).image
    print(f"photo {float(psnr(y, x)):.1f} dB, restored {float(psnr(restored, x)):.1f} dB")
    both = Image.fromarray(to_uint8(torch.cat([y, restored], dim=3)))
    both = both.resize((both.width * 2, both.height * 2), Image.Resampling.NEAREST)
    both.save(Path(__file__).parents[1] / "book" / "before_after.jpg", quality=88)


if __name__ == "__main__":
    main()
