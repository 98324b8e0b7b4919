"""Photos of a simulated phone, found and restored as the command does it, beside classical tools.

    python benchmarks/captures.py --shared ../shared
    python benchmarks/phone_captures.py

Captures of the 24 Kodak photos, 512 x 512, held back from everything: no model of the package made
them (`gdp_lite.book.phone`). `diagnose` finds Phi; `restore_image` and the classical chain
(`gdp_lite.book.classical`: the same Phi, the same light undone) undo what is seen. Where nothing
is seen all ways are the capture. Three truths:

    "scene"  the source in good light: counts everything, light and colour included
    "detail" NAME-ideal.png, the scene in the capture's light, with the same light undone: how good
             the picture is, apart from how light was found
    "quiet"  NAME-quiet.jpg, the capture without noise, with the same light undone: noise alone

PSNR in dB and HaarPSI against each, and the mean CIEDE2000 against the scene. Ways: photo; relit
(light and colour undone, nothing else); classical; restored. Writes
gdp_lite/book/results/phone_captures.csv, a row a photo and way; what is there is not done again.
Then, of those in which noise or softness was seen and which show no person, the median and the
worst by the gain in PSNR of detail over the chain: a crop of each into phone_captures.jpg, which
they are into phone_captures_shown.csv. About nine minutes on one core.
"""

import csv
from pathlib import Path

import numpy as np
import torch
from common import arguments, haarpsi, show
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from gdp_lite.book.classical import classical
from gdp_lite.book.metrics import psnr
from gdp_lite.book.results import FOLDER, load_results, save_results
from gdp_lite.diagnosis import diagnose
from gdp_lite.image import from_uint8, to_uint8
from gdp_lite.photos import read_photo
from gdp_lite.prior import load_prior
from gdp_lite.restoring import relit, restore_image

TABLE = FOLDER / "phone_captures.csv"
SIDE = 192  # of a stored crop
PEOPLE = {f"kodak-{n}" for n in (4, 12, 14, 15, 18)}  # are scored, and not shown


def read(path):
    return from_uint8(np.asarray(Image.open(path).convert("RGB")))


def lab(x):
    return rgb2lab(x[0].clamp(0, 1).permute(1, 2, 0).numpy())


def one(folder, name, prior):
    """({way: image}, {name: truth}, kinds) of a capture; the images in [0, 1]."""
    photo = read_photo(folder / f"{name}.jpg")
    y = photo.image
    scene, ideal = (read(folder / f"{name}-{kind}.png") for kind in ("scene", "ideal"))
    diagnosis = diagnose(y, photo.iso, photo.coding)
    kinds = diagnosis.seen
    z, gain = relit(y, diagnosis, kinds)
    z = z.clamp(0, 1)
    images = {"photo": y, "relit": z, "classical": classical(z, gain, diagnosis, kinds)}
    images["restored"] = restore_image(y, diagnosis, prior)
    truths = {"scene": scene}
    for truth, x in (("detail", ideal), ("quiet", read(folder / f"{name}-quiet.jpg"))):
        truths[truth] = relit(x, diagnosis, kinds)[0].clamp(0, 1)
    return images, truths, kinds


def scored(images, truths):
    """Rows, one a way."""
    for way, x in images.items():
        row = {"way": way}
        for name, truth in truths.items():
            row |= {f"{name} psnr": float(psnr(x, truth))}
            row |= {f"{name} haarpsi": float(haarpsi(x, truth))}
        yield row | {"ciede": float(deltaE_ciede2000(lab(x), lab(truths["scene"])).mean())}


def busiest(x, side):
    """Top and left of the square of x, on a grid, whose luma has most detail."""
    luma = x.mean((0, 1)).diff(dim=0)[:, 1:] ** 2
    places = [
        (float(luma[t : t + side, u : u + side].mean()), t, u)
        for t in range(0, luma.shape[0] - side + 1, 32)
        for u in range(0, luma.shape[1] - side + 1, 32)
    ]
    return max(places)[1:]


def gains(rows):
    """photo -> restored less classical, PSNR of detail, where noise or softness was seen."""
    by = {(row["photo"], row["way"]): row for row in rows}
    return {
        name: by[name, "restored"]["detail psnr"] - by[name, "classical"]["detail psnr"]
        for name, way in by
        if way == "restored" and {"noise", "softness"} & set(by[name, way]["kinds"].split())
    }


def main():
    parser = arguments(__doc__)
    parser.add_argument("--captures", default="~/.cache/gdp-lite/captures")
    parser.add_argument("--photos", type=int, default=24, help="fewer, to try")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder, prior = Path(args.captures).expanduser(), load_prior()
    names = [f"kodak-{n}" for n in range(1, 25)][: args.photos]
    done = {row["photo"] for row in load_results("phone_captures")} if TABLE.is_file() else set()
    for name in names:
        if name in done:
            continue
        images, truths, kinds = one(folder, name, prior)
        rows = [{"photo": name, "kinds": " ".join(kinds), **r} for r in scored(images, truths)]
        with open(TABLE, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerows(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in r.items()} for r in rows
            )
        show({"photo": name, "kinds": " ".join(kinds)} | {
            r["way"]: r["detail psnr"] for r in rows
        })  # fmt: skip
    gain = gains(load_results("phone_captures"))
    ranked = sorted(set(gain) - PEOPLE, key=gain.get)
    lines, told = [], []
    for what, name in {"median": ranked[len(ranked) // 2], "worst": ranked[0]}.items():
        images, truths, _ = one(folder, name, prior)
        top, left = busiest(truths["scene"], SIDE)
        shown = [*(images[way] for way in ("photo", "classical", "restored")), truths["scene"]]
        lines.append(torch.cat([x[..., top : top + SIDE, left : left + SIDE] for x in shown], -1))
        told.append({"what": what, "photo": name, "gain": gain[name], "top": top, "left": left})
        show(told[-1])
    sheet = Image.fromarray(to_uint8(torch.cat(lines, -2)))
    sheet.save(FOLDER / "phone_captures.jpg", quality=92, subsampling=0)
    save_results("phone_captures_shown", told)


if __name__ == "__main__":
    main()
