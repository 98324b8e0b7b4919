"""What the command line's defaults do to photos that need nothing.

    python benchmarks/do_no_harm.py --shared ../shared

128 x 128 centre crops of the 24 Kodak photos, as they are and as a JPEG of quality 95:
PSNR of the result against the photo that went in, in dB; "refused" counts the photos that
superres turns away (inpainting changes nothing outside its mask). Writes
gdp_lite/book/results/do_no_harm.csv. About a minute on one core.
"""

import torch
from common import arguments, kodak, show

from gdp_lite.book.capture import through_jpeg
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore
from gdp_lite.tasks import degradation_for


def main():
    args = arguments(__doc__).parse_args()
    prior, rows = load_prior(), []
    crops = kodak(args.shared, 128)
    for kind, made in (("lossless", lambda x: x), ("JPEG 95", lambda x: through_jpeg(x, 95))):
        for task in ("denoise", "deblur", "superres"):
            scores, refused = [], 0
            for y in map(made, crops):
                try:
                    assumed = degradation_for(task, y, lossy=kind != "lossless")
                except ValueError:
                    refused += 1
                    continue
                generator = torch.Generator().manual_seed(0)
                image = restore(y, assumed, prior, generator=generator).image
                scores.append(float(psnr(image, y)))
            scores = torch.tensor(scores or [float("nan")])
            row = {"photo": kind, "task": task, "mean": float(scores.mean())}
            row |= {"least": float(scores.min()), "from_40_dB": int((scores >= 40).sum())}
            row |= {"of": len(crops) - refused, "refused": refused}
            rows.append(row)
            show(row)
    save_results("do_no_harm", rows)


if __name__ == "__main__":
    main()
