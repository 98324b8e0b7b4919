"""Captures of a simulated phone, with the truth beside them, and how they compare with real ones.

    python benchmarks/captures.py --shared ../shared

A crop of 512 x 512 at most of each of the 55 large scenes (to develop on), the 24 Kodak photos and
four of scikit-image's (for tests and book), each with one `Capture` drawn for it. Into --out,
outside the repository. An interrupted run goes on where it stopped; what is there is not made again
(after a change of the simulator, remove the folder):

    NAME.jpg        the capture
    NAME-quiet.jpg  the same without noise: capture - quiet is the noise, after denoiser and JPEG
    NAME-ideal.png  the scene in the capture's light, colours and tone; no blur, no noise, no file
    NAME-scene.png  the source, which is a good photo
    manifest.csv    crop, every parameter, and the true noise, `true_noise`

Then writes gdp_lite/book/results/captures.csv: `appearance` of the 55 scenes and their captures, of
those up to ISO 640, and of the ten phone files, the median of up to 12 crops of 512 x 512 of each;
"inside" counts the files between the captures' least and greatest. The ranges of denoisers,
sharpener and lens were set by this table, so it proves nothing of other files. About 5 minutes.
"""

import csv
import io
import zlib
from pathlib import Path

import numpy as np
from common import arguments, held_back, show
from PIL import Image

from gdp_lite.book.appearance import appearance, true_noise
from gdp_lite.book.phone import Capture, draw_capture, field, ideal, parameters, photograph
from gdp_lite.book.results import save_results

SIDE = 512


def sources(shared):
    """(set and name, photo as an (H, W, 3) uint8 array) of every scene; none is held in memory."""
    for path in sorted(Path(shared, "train/large").glob("*.jpg")):
        with Image.open(path) as photo:
            if min(photo.size) > SIDE:
                yield f"large-{path.stem}", np.asarray(photo.convert("RGB"))
    yield from held_back(shared)


def make(name, photo, folder):
    """Capture one scene, write its four files; the row of the manifest."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))  # whatever was made before it
    height, width = photo.shape[:2]
    sides = min(SIDE, height), min(SIDE, width)
    top = int(rng.integers(0, height - sides[0] + 1))
    left = int(rng.integers(0, width - sides[1] + 1))
    part = np.s_[top : top + sides[0], left : left + sides[1]]
    x, y = field(height, width)
    where = x[part], y[part]
    scene = photo[part].astype(np.float32) / 255
    drawn = parameters(draw_capture(rng))
    capture = Capture(**drawn)  # of the digits that the manifest holds
    files = {
        f"{name}.jpg": photograph(scene, capture, rng, where),
        f"{name}-quiet.jpg": photograph(scene, capture, None, where),
        f"{name}-ideal.png": png((ideal(scene, capture, where) * 255).round().astype(np.uint8)),
        f"{name}-scene.png": png(photo[part]),
    }
    for file, content in files.items():
        (folder / file).write_bytes(content)
    noisy, quiet = (pixels(folder / f"{name}{end}.jpg") for end in ("", "-quiet"))
    noise = {f"noise {k}": round(v, 3) for k, v in true_noise(noisy, quiet).items()}
    return {"name": name, "top": top, "left": left, **drawn, **noise}


def png(array):
    """The bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def pixels(path):
    """(H, W, 3) uint8."""
    return np.asarray(Image.open(path).convert("RGB"))


def make_all(shared, folder):
    """Every capture that the manifest lacks; all rows, as strings, in the order they were made."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    done = read(manifest) if manifest.exists() else []
    names = {row["name"] for row in done}
    with open(manifest, "a", newline="", encoding="utf-8") as file:
        for name, photo in sources(shared):
            if name in names:
                continue
            row = make(name, photo, folder)
            show({k: row[k] for k in ("name", "iso", "noise luma", "noise chroma")})
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
            file.flush()
    return read(manifest)


def read(manifest):
    """The rows of a CSV file, all strings."""
    with open(manifest, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def phone_file(path):
    """`appearance` of a file: the median of crops on a grid, 3 x 4 of them at most."""
    photo = pixels(path)
    tops, lefts = (
        np.linspace(0, n - SIDE, min(n // SIDE, most)).astype(int)
        for n, most in zip(photo.shape, (3, 4), strict=False)
    )
    found = [appearance(photo[t : t + SIDE, u : u + SIDE]) for t in tops for u in lefts]
    return {k: float(np.nanmedian([row[k] for row in found])) for k in found[0]}


def compare(shared, folder, manifest):
    """A row a number of `appearance`: quantiles of scenes and captures, each phone file."""
    rows = [row for row in manifest if row["name"].startswith("large")]
    groups = {
        "scenes": [appearance(pixels(folder / f"{row['name']}-scene.png")) for row in rows],
        "captures": [appearance(pixels(folder / f"{row['name']}.jpg")) for row in rows],
    }
    groups["to ISO 640"] = [
        found for row, found in zip(rows, groups["captures"], strict=True) if int(row["iso"]) <= 640
    ]
    phones = sorted(Path(shared, "eval/phones").glob("*.jpg"))
    files = {path.stem: phone_file(path) for path in phones}
    table = []
    for number in groups["scenes"][0]:
        row = {"number": number}
        for group, found in groups.items():
            values = np.array([one[number] for one in found])
            for percent in (10, 50, 90):
                row[f"{group} {percent}%"] = float(np.nanpercentile(values, percent))
        all_captures = [one[number] for one in groups["captures"]]
        low, high = np.nanmin(all_captures), np.nanmax(all_captures)
        row["inside"] = sum(bool(low <= found[number] <= high) for found in files.values())
        table.append(row | {name: found[number] for name, found in files.items()})
        show(table[-1])
    return table


def main():
    parser = arguments(__doc__, "train/large, eval/kodak24 and eval/phones")
    parser.add_argument("--out", default="~/.cache/gdp-lite/captures", help="for the captures")
    args = parser.parse_args()
    folder = Path(args.out).expanduser()
    manifest = make_all(args.shared, folder)
    save_results("captures", compare(args.shared, folder, manifest))


if __name__ == "__main__":
    main()
