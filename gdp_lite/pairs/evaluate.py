"""Prepared pairs restored and scored: the source's experiment, for whoever has the data."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gdp_lite.diagnosis import diagnose
from gdp_lite.image import to_uint8
from gdp_lite.one_photo import loaded, undone
from gdp_lite.pairs.kinds import Kind, kind_of
from gdp_lite.pairs.prepare import COLUMNS, MANIFEST, png_of, settings_of
from gdp_lite.pairs.rows import Rows, begin
from gdp_lite.pairs.scores import NAMES, Scores
from gdp_lite.photos import PhotoError, read_photo, save_bytes
from gdp_lite.precision import in_precision, precision_of
from gdp_lite.prior import Denoiser
from gdp_lite.processes import Processes
from gdp_lite.report import versions
from gdp_lite.sampler import restore
from gdp_lite.tasks import ROUNDING_NOISE
from gdp_lite.tiling import OVERLAP, TILE, WHOLE, TiledPrior, how_seen

SCORES, SETTINGS = "scores.csv", "evaluate.json"
PART = "scores.{}.csv"  # of another process than the main one, while it works
BEFORE = "_before"  # of the degraded picture at the clean one's size, by the simplest means
TABLE = ("name", *NAMES, *(name + BEFORE for name in NAMES), "pair", "seconds", "error")
_HW = ("height", "width")


def evaluate_pairs(
    pairs: str | Path,
    out: str | Path | None = None,
    *,
    prior: Denoiser | str | Path | None = None,
    steps: int | None = None,
    strength: float = 1.0,
    seed: int = 0,
    count: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    say: Callable[[str], object] = lambda line: None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> list[dict[str, str]]:
    """Restore the pairs of `prepare_pairs` and score them, Phi known.

    Pictures that were taken as they are (low light, exposure) are restored as `restore_photo` does
    it, Phi found in each. One that fails does not stop the rest, and the same call goes on where
    one was stopped. Started by ``accelerate launch`` as several processes, each restores a share;
    the results are those of one process, and the next call may have another number of them.

    Parameters
    ----------
    pairs : their folder.
    out : where restored pictures and ``scores.csv`` go; ``restored`` in `pairs` by default.
    prior, device : as in `restore_photo`.
    steps, strength, seed : as in `restore`; steps do not matter for pictures taken as they are.
    count : only the first so many pairs.
    precision : in which the network computes: no, bf16 or fp16 (CUDA alone); what accelerate was
        told, else no.
    say, progress : called with lines, and with (pairs done, of how many).

    Returns
    -------
    The rows of ``scores.csv``, words as in the file.

    Raises
    ------
    ValueError : in one line, for a folder without pairs and an output of another evaluation.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from gdp_lite.pairs.prepare import prepare_pairs
    >>> flat = lambda x, sigma: x.mean((-2, -1), keepdim=True).expand_as(x)
    >>> with tempfile.TemporaryDirectory() as here:
    ...     Path(f"{here}/in").mkdir()
    ...     Image.new("RGB", (8, 8), (90, 110, 130)).save(f"{here}/in/a.png")
    ...     made = prepare_pairs(f"{here}/in", f"{here}/out", Kind("blocks", 4))
    ...     rows = evaluate_pairs(f"{here}/out", prior=flat, device="cpu")
    >>> rows[0]["name"], float(rows[0]["psnr"]) > 40
    ('a.png', True)
    """
    pairs = Path(pairs)
    told, manifest = settings_of(pairs), Rows(pairs / MANIFEST, COLUMNS)
    if not manifest.rows:
        raise ValueError(f"{pairs} holds no pairs: `python -m gdp_lite prepare` makes some")
    kind = kind_of(told)
    target = pairs / "restored" if out is None else Path(out)
    ours = Processes.begin(device)
    tell, say = say, say if ours.main else _nothing
    progress = progress if ours.main else _nothing
    computed = precision_of(precision, ours.device, usual="no")
    network, now = in_precision(loaded(prior, ours.device, "no"), computed), versions(prior)
    asked = {"pairs": told, "steps": steps, "strength": strength, "seed": seed} | (
        {} if computed == torch.float32 else {"precision": str(computed)}
    )
    settings = {**asked, "prior": now["prior"], "gdp_lite": now["gdp_lite"]}
    rows = list(manifest.rows.values())[:count]
    if ours.main:
        begin(target / SETTINGS, settings)
        _take_parts(target, rows)
    ours.wait()
    scores = Scores(say)
    if line := how_seen(
        network, *(max(int(r[side]) for r in manifest.rows.values()) for side in _HW)
    ):
        say(line)
    table = Rows(target / SCORES, TABLE)
    # The main process says what is left to do: it looks at one moment, all others would later.
    left = ours.told([row["name"] for row in rows if not _is_done(target, row, table)])
    first, after = ours.share(len(left))
    own = table if ours.main else Rows(target / PART.format(ours.index), TABLE)
    there = len(rows) - len(left)
    progress(there, len(rows))
    for done, name in enumerate(left[first:after], 1):
        row = manifest.rows[name]
        began = time.monotonic()
        found: dict[str, Any] = {"name": name, "pair": row["checksum"]}
        try:
            x, simple, truth = _restored(
                pairs, row, kind, network, steps, strength, seed, ours.device
            )
            new = _place(target, row)
            new.parent.mkdir(parents=True, exist_ok=True)
            save_bytes(new, png_of(to_uint8(x)))
            if truth is not None:
                found |= scores(x, truth)
                found |= {k + BEFORE: v for k, v in scores(simple, truth).items()}
        except (ValueError, RuntimeError, MemoryError) as error:
            found["error"] = (" ".join(str(error).split()) or "out of memory")[:300]
            tell(f"{name}: {found['error']}")
        own.add({**found, "seconds": round(time.monotonic() - began, 1)})
        progress(there + min(done * ours.count, len(left)), len(rows))
    ours.wait()
    if ours.main:
        _take_parts(target, rows)
    ours.wait()
    table = Rows(target / SCORES, TABLE)
    return [table.rows[row["name"]] for row in rows]


def _nothing(*_: object) -> None:
    """What the other processes say: the main one speaks for all."""


def _place(target: Path, row: Mapping[str, str]) -> Path:
    """Of the restored picture."""
    return target / Path(row["degraded"]).relative_to("degraded").with_suffix(".png")


def _is_done(target: Path, row: Mapping[str, str], table: Rows) -> bool:
    """Whether this pair, as it is now, was restored and scored."""
    old = table.rows.get(row["name"])
    known = old is not None and not old["error"] and old["pair"] == row["checksum"]
    return known and _place(target, row).is_file()


def _take_parts(target: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Into the table of the scores, what other processes wrote, also those that were stopped."""
    parts = sorted(target.glob(PART.format("*")))
    if parts:
        Rows(target / SCORES, TABLE).take(parts, [row["name"] for row in rows])


def _restored(
    pairs: Path,
    row: Mapping[str, str],
    kind: Kind,
    prior: Denoiser,
    steps: int | None,
    strength: float,
    seed: int,
    device: str,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The restored picture, the degraded one at its size, and the true one if there is one."""
    photo = read_photo(pairs / row["degraded"])
    truth = read_photo(pairs / row["clean"]).image if row["clean"] else None
    if kind.name == "as-is":
        diagnosis = diagnose(photo.image, photo.iso, photo.coding)
        kinds = diagnosis.chosen({*diagnosis.seen, "light"}, ())
        x, _ = undone(photo, diagnosis, kinds, prior, strength, seed, name=row["name"])
        return x, photo.image, truth
    if truth is None:
        raise PhotoError("its clean picture is missing")
    mask = None
    if row["mask"]:  # as the source has it: 0 where pixels are missing
        mask = (read_photo(pairs / row["mask"]).image[0, 0] > 0.5).float()
    size = (truth.shape[-2], truth.shape[-1])
    degradation = kind.degradation(size, mask, ROUNDING_NOISE).to(device)
    y = photo.image.to(device)
    simple = degradation.start(y) if kind.name in ("blocks", "mask") else y
    if size[0] * size[1] > WHOLE and not how_seen(prior, *size):
        prior = TiledPrior(prior, TILE, OVERLAP)
    generator = torch.Generator().manual_seed(seed)
    result = restore(y, degradation, prior, steps, strength, generator=generator)
    return result.image.cpu(), simple.cpu(), truth
