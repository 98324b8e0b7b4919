"""What reading and writing a photo keeps, takes and refuses.

    python benchmarks/files.py --shared ../shared

The ten phone files: segments (APPn, comments) kept to the byte, bytes changed outside previews,
what was told, mean error of the pixels, seconds. The hostile files: read, or refused and why. One
of the phone files at 12 and, enlarged, at 50 megapixels: seconds of one core and MB beyond what the
process had. Writes gdp_lite/book/results/files.csv. Two minutes.
"""

import io
import multiprocessing
import re
import time
from collections import Counter
from pathlib import Path

from common import arguments, show
from PIL import Image

from gdp_lite.book.results import save_results
from gdp_lite.files import jpeg
from gdp_lite.files.encoding import encode
from gdp_lite.photos import PhotoError, read_photo

LARGE = "galaxy_s7_edge"


def phone(path):
    photo = read_photo(path)
    began = time.process_time()
    written, told = encode(photo.image, photo, "JPEG")
    seconds = time.process_time() - began
    before, after = photo.origin.segments, jpeg.parse(written).extras
    again = read_photo(written)
    changed = 0
    for (_, a), (_, b) in zip(before, after, strict=True):
        preview = (a + b"\xff\xd8\xff").index(b"\xff\xd8\xff")
        changed += abs(len(a) - len(b)) + sum(
            x != y for x, y in zip(a[:preview], b[: len(a)], strict=False)
        )
    same = sum(a == b for a, b in zip(before, after, strict=True))
    return {
        "part": f"phone {path.stem}",
        "count": len(before),
        "same": same,
        "changed": changed,
        "error": 255 * float((again.image - photo.image).abs().mean()),
        "seconds": seconds,
        "told": "; ".join(told + photo.notes),
    }


def hostile(folder):
    found = Counter()
    for path in sorted(folder.glob("[!S]*")):
        try:
            found[f"read {read_photo(path, 20_000_000).origin.kind}"] += 1
        except PhotoError as error:
            reason = str(error).removeprefix(str(path)).split(";")[0]
            found["refused:" + re.sub(r"\d+", "N", reason).replace(":", ",")[:60]] += 1
    return [{"part": f"hostile, {what}", "count": n} for what, n in found.most_common()]


def measure(content, kind, answers):
    """In a process of its own, whose memory starts anew."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten (Linux)
    before = highest()
    began = time.process_time()
    photo = read_photo(content)
    read = time.process_time()
    encode(photo.image, photo, kind)
    row = {"seconds": read - began, "seconds_writing": time.process_time() - read}
    answers.put(row | {"MB": highest() - before})


def highest():
    """The highest resident memory of this process, MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def large(path):
    with Image.open(path) as picture:
        enlarged, file = picture.resize((8160, 6120)), io.BytesIO()
        enlarged.save(file, "JPEG", quality=90, exif=picture.info["exif"])
    spawn = multiprocessing.get_context("spawn")
    for size, content in ((12, path.read_bytes()), (50, file.getvalue())):
        for kind in ("JPEG", "PNG"):
            answers = spawn.SimpleQueue()
            process = spawn.Process(target=measure, args=(content, kind, answers))
            process.start()
            yield {"part": f"{size} megapixels to {kind}"} | answers.get()
            process.join()


def main():
    shared = Path(arguments(__doc__, "eval/phones, eval/hostile").parse_args().shared)
    rows = [phone(path) for path in sorted((shared / "eval" / "phones").glob("*.jpg"))]
    rows += large(shared / "eval" / "phones" / f"{LARGE}.jpg")
    rows += hostile(shared / "eval" / "hostile")
    names = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{name: row.get(name, "") for name in names} for row in rows]
    for row in rows:
        show(row)
    save_results("files", rows)


if __name__ == "__main__":
    main()
