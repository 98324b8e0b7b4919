"""How many calls of the network softness takes: `gdp_lite.restoring.SOFT_STEPS`.

    python benchmarks/soft_calls.py

Captures of the development scenes without noise (benchmarks/captures.py) that `diagnose` calls
soft, 192 x 192 of each; PSNR in dB against the sharp picture in the capture's light, of the file
and after 8, 7, 6 and 5 calls. Writes gdp_lite/book/results/soft_calls.csv. Five minutes.
"""

from pathlib import Path

import numpy as np
import torch
from common import arguments, photos, show

from gdp_lite import diagnose, load_prior, restoring
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import save_results
from gdp_lite.degradations.softness import softness_degradation

CAPTURES = Path.home() / ".cache" / "gdp-lite" / "captures"
CALLS = (8, 7, 6, 5)
PART = (..., slice(160, 352), slice(160, 352))


def main():
    parser = arguments(__doc__)
    parser.add_argument(
        "--captures", default=str(CAPTURES), help="folder of benchmarks/captures.py"
    )
    pictures = dict(photos(parser.parse_args().captures))
    prior, rows = load_prior(), []
    for name, y in pictures.items():
        if not (name.startswith("large-") and name.endswith("-quiet")):
            continue
        found = diagnose(y)
        noise = found.findings["noise"].detail
        level = noise.rms if noise.present > 0.5 else 0.0
        blur = softness_degradation(found.findings["softness"].detail, level)
        if blur is None or not found.findings["softness"].seen:
            continue
        x = pictures[name.replace("-quiet", "-ideal")][PART]
        row = {"photo": name, "file": float(psnr(y[PART], x))}
        for calls in CALLS:
            restoring.SOFT_STEPS = calls
            generator = torch.Generator().manual_seed(0)
            z = restoring.deblurred(y[PART], blur, prior, 1.0, generator)
            row[str(calls)] = float(psnr(z, x))
        show(row)
        rows.append(row)
    mean = {key: float(np.mean([r[key] for r in rows])) for key in rows[0] if key != "photo"}
    save_results("soft_calls", [*rows, {"photo": "mean", **mean}])


if __name__ == "__main__":
    main()
