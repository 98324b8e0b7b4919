"""The scores of many pictures as a table: means with their spread, the middle and the worst."""

from collections.abc import Iterable, Mapping
from statistics import mean, median, pstdev

from gdp_lite.pairs.evaluate import BEFORE
from gdp_lite.pairs.scores import HEADS, LOWER, NAMES


def table(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The rows of `evaluate_pairs` as lines: each score before and after, over all pictures.

    "before" is the degraded picture: enlarged with a bicubic filter, its holes filled smoothly,
    or as it is. The worst is named.

    Examples
    --------
    >>> row = {"name": "a", "psnr": "30", "psnr_before": "25", "error": ""}
    >>> print("\\n".join(table([row])))
    score           mean     std  median   worst
    PSNR, dB
      before      25.000   0.000  25.000  25.000  a
      restored    30.000   0.000  30.000  30.000  a
    1 scored, 0 without a clean picture, 0 failed
    """
    rows = list(rows)
    lines = ["score           mean     std  median   worst"]
    for name in NAMES:
        for label, column in (("before", name + BEFORE), ("restored", name)):
            found = [(float(row[column]), row["name"]) for row in rows if row.get(column)]
            if not found:
                continue
            if label == "before":
                lines.append(HEADS[name] + (" (lower is better)" if name in LOWER else ""))
            values = [value for value, _ in found]
            worst = max(found) if name in LOWER else min(found)
            numbers = (mean(values), pstdev(values), median(values), worst[0])
            lines.append(f"  {label:10}" + "".join(f"{n:8.3f}" for n in numbers) + f"  {worst[1]}")
    failed = sum(bool(row["error"]) for row in rows)
    scored = sum(bool(row.get("psnr")) for row in rows)
    alone = len(rows) - failed - scored
    return [*lines, f"{scored} scored, {alone} without a clean picture, {failed} failed"]
