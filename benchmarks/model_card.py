"""Write the prior's model card from the stored results, so that its numbers are theirs.

    python benchmarks/model_card.py [--shared ../shared]

Fills model_card.md from gdp_lite/book/results/*.csv, the prior's configuration and its
training_log.csv; writes README.md and training_log.png beside the weights. With --shared the
list of the training photos' authors, ATTRIBUTION.csv, is written anew from the tables beside
the photos.
"""

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from gdp_lite.book.results import load_results
from gdp_lite.prior import BUNDLED

# What the log does not tell. Changed with the weights.
DEVICE = "one NVIDIA H200"
COMMAND = (
    "python -m gdp_lite train --photos FOLDER --val FOLDER --out RUN --minutes 10.4 --every 45 "
    "--channels 32 96 160 256 --crops 64 128 --pixels 524288 --compile"
)
SMALLER = "python -m gdp_lite train --photos FOLDER --val FOLDER --out RUN --minutes 110"
CLASSICAL = {"nlm": "non-local means", "wavelet": "wavelets", "bm3d": "BM3D"}
SETS = {
    "nips17_imagenet": ("NIPS 2017 adversarial competition set", "CC BY 2.0"),
    "cid22_512": ("CID22", "CC BY-SA 4.0"),
    "openstax_anthropology": ("OpenStax, Introduction to Anthropology", "CC BY 4.0"),
    "openstax_political-science": ("OpenStax, Introduction to Political Science", "CC BY 4.0"),
    "elementary_wallpapers": ("elementary OS wallpapers", "CC0, Unsplash, CC BY, CC BY-SA"),
    "budgie_backgrounds": ("Budgie wallpapers", "CC0 1.0"),
    "clic2025": ("CLIC 2025", "Unsplash licence"),
    "quantette_unsplash": ("Unsplash", "Unsplash licence"),
    "cq100": ("CQ100", "CC BY-SA 4.0, CC BY, CC0, public domain"),
}


def differences(rows, method):
    gap = np.array([row["prior"] - row[method] for row in rows])
    return f"{gap.mean():+.2f} ± {gap.std(ddof=1) / len(gap) ** 0.5:.2f}"


def card():
    """The text of the card."""
    config = json.loads((BUNDLED / "unet" / "config.json").read_text())
    weights = BUNDLED / "unet" / "diffusion_pytorch_model.safetensors"
    log = list(csv.DictReader((BUNDLED / "training_log.csv").open(newline="")))
    compiled = next(row for row in log if int(row["step"]) > 1)  # its time is that of compiling
    scores, memory = load_results("denoising"), load_results("prior_samples")
    methods = [name for name in CLASSICAL if name in scores[0]]
    denoising = []
    for sigma in sorted({row["sigma"] for row in scores}):
        rows = [row for row in scores if row["sigma"] == sigma]
        mean = {name: np.mean([row[name] for row in rows]) for name in ("noisy", "prior", *methods)}
        line = f"| {sigma:.0f} | {mean['noisy']:.2f} | {mean['prior']:.2f} |"
        for name in methods:
            line += f" {mean[name]:.2f} ({differences(rows, name)}) |"
        denoising.append(line)
    held_back = {}
    for row in load_results("denoising_val"):
        held_back.setdefault(row["sigma"], []).append(row)
    kinds = {}
    for row in memory:
        kinds.setdefault(row["kind"], []).append(row["distance"])
    with (BUNDLED / "ATTRIBUTION.csv").open(newline="", encoding="utf-8") as file:
        counts = Counter(row["set"] for row in csv.DictReader(file))
    template = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    return template.format(
        device=DEVICE,
        command=COMMAND,
        smaller=SMALLER,
        minutes=log[-1]["minutes"],
        compiling=round(float(compiled["minutes"])),
        millions=f"{sum(v.size for v in load_file(weights).values()) / 1e6:.1f}",
        size=f"{weights.stat().st_size / 1e6:.1f}",
        widths=", ".join(map(str, config["block_out_channels"])),
        layers={1: "one", 2: "two"}[config["layers_per_block"]],
        photos=f"{sum(counts.values()):,}",
        steps=f"{int(log[-1]['step']):,}",
        loss=log[-1]["loss"],
        val_loss=log[-1]["val_loss"],
        methods=" | ".join(CLASSICAL[name] for name in methods),
        line="|".join(["---"] * len(methods)),
        denoising="\n".join(denoising),
        val_count=len(next(iter(held_back.values()))),
        val=", ".join(
            f"{differences(rows, 'nlm')} dB at sigma {sigma:.0f}"
            for sigma, rows in held_back.items()
        ),
        memory="\n".join(
            f"| {kind} | {np.median(found):.2f} | {min(found):.2f} |"
            for kind, found in kinds.items()
        ),
        tiles=", ".join(
            f"{row['agreement']:.0f} dB at t = {row['t']:.0f}" for row in load_results("tiles")
        ),
        data="\n".join(f"| {counts[key]} | {' | '.join(SETS[key])} |" for key in SETS),
    )


def attribution(shared):
    """Author, licence and source of every training photo, from the tables beside them."""
    train = Path(shared) / "train"
    authors = {}
    for row in read(train / "attribution" / "nips17_images.csv"):
        authors[row["ImageId"]] = (row["Author"], row["License"], row["OriginalLandingURL"])
    for row in read(train / "attribution" / "cq100_metadata.csv"):
        authors[row["Modified Filename"]] = (row["Author"], row["License"], row["Source URL"])
    for name in ("anthropology", "political_science"):
        for row in read(train / "attribution" / f"openstax_{name}.csv"):
            authors[Path(row["file"]).stem] = (row["credit"], row["licence_in_caption"], "")
    rows = []
    for row in read(train / "SOURCES.csv"):
        if row["file"].startswith("photos/"):
            author, licence, source = authors.get(Path(row["source_file"]).stem, ("", "", ""))
            rows.append(
                {
                    "set": row["source_set"],
                    "photo": row["source_file"],
                    "view": row["view"],
                    "author": author,
                    "licence": licence or row["licence"],
                    "source": source,
                }
            )
    with (BUNDLED / "ATTRIBUTION.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def draw_curve():
    """The loss over the training, as training_log.png."""
    import matplotlib.pyplot as plt

    log = read(BUNDLED / "training_log.csv")
    minutes, loss, held_back = (
        np.array([float(row[name]) for row in log]) for name in ("minutes", "loss", "val_loss")
    )
    figure, axis = plt.subplots(figsize=(4.4, 2.8))  # legible on a phone
    axis.plot(minutes, loss, label="training photos")
    axis.plot(minutes, held_back, label="64 fixed crops held back")
    axis.set(
        xlabel="minutes", ylabel="loss", ylim=(held_back.min() - 0.005, np.quantile(loss, 0.8))
    )
    axis.legend()
    figure.tight_layout()
    figure.savefig(BUNDLED / "training_log.png", dpi=100, metadata={"Software": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", help="folder with train/SOURCES.csv and train/attribution")
    args = parser.parse_args()
    if args.shared:
        attribution(args.shared)
    (BUNDLED / "README.md").write_text(card(), encoding="utf-8")
    draw_curve()


if __name__ == "__main__":
    main()
