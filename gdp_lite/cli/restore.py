"""``restore`` and ``diagnose``: what they do with the options that were given."""

import argparse
import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

from gdp_lite.cli.talk import Progress, say
from gdp_lite.cli.task import restore_task

# What belongs to one way of restoring alone: to --task, to restoring without it.
OF_TASKS = ("steps", "factor")
OF_AUTO = ("only", "skip", "exposure", "strokes", "preview", "report", "again")
OF_PHOTOS = (
    *("only", "skip", "noise", "blur", "exposure", "mask", "strokes", "strip"),
    *("prior", "precision", "preview"),
)


def run_diagnose(args: argparse.Namespace) -> int:
    """Print what is wrong with a photo; nothing is written but the mask that is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries' remarks are not for the user of a command
        from gdp_lite.diagnosis import SEEN, diagnose
        from gdp_lite.one_photo import MAX_PIXELS
        from gdp_lite.photos import read_photo
        from gdp_lite.report import findings_of

        photo = read_photo(args.photo, MAX_PIXELS)
        diagnosis = diagnose(photo.image, photo.iso, photo.coding)
        if args.mask is not None:
            _write_mask(args, diagnosis.findings["overlay"].detail)
    found = findings_of(diagnosis)
    with contextlib.suppress(OSError):
        if args.json:
            print(json.dumps(found, indent=2, allow_nan=False))
            return 0
        for kind, finding in found.items():
            asked = diagnosis.findings[kind].visible >= SEEN
            mark = "*" if kind in diagnosis.seen else "+" if asked else " "
            print(f"{mark} {kind:9} {finding['line']}")
        print("* is undone by `restore`" if diagnosis.seen else "nothing that `restore` would undo")
        if any(f.visible >= SEEN and not f.seen for f in diagnosis.findings.values()):
            print("+ is undone by `restore --only KIND`, which may make it worse: compare")
    return 0


def _write_mask(args: argparse.Namespace, overlay: Any) -> None:
    """What was found to lie over the photo as a mask for `restore --mask`, to look at and edit."""
    from PIL import Image

    from gdp_lite.photos import check_output, save_bytes

    check_output(args.mask, args.photo, args.overwrite)
    if overlay.colour is None:
        say(f"nothing lies over the photo: {args.mask} is not written")
        return
    file = io.BytesIO()
    Image.fromarray((255 * (1 - overlay.mask)).byte().numpy()).save(file, "PNG")
    save_bytes(args.mask, file.getvalue())
    say(f"{args.mask}: white where something may lie over the photo; edit it, then restore --mask")


def run_restore(args: argparse.Namespace) -> int:
    """Restore a photo, a folder of them, again what a report says, or by one task."""
    check(args)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if args.task is not None:
            return restore_task(args)
        if args.preview:
            return _preview(args)
        if args.photo is not None and args.photo != "-" and Path(args.photo).is_dir():
            return _folder(args)
        return _photo(args)


def check(args: argparse.Namespace) -> None:
    """ValueError for options that do not go together."""

    def given(names: tuple[str, ...]) -> list[str]:
        told = [n for n in names if getattr(args, n) not in (None, False, [])]
        return ["--from" if n == "again" else f"--{n}" for n in told]

    if args.photo is None and args.again is None:
        raise ValueError(
            "the following arguments are required: photo (see python -m gdp_lite restore --help)"
        )
    if args.task is None and (wrong := given(OF_TASKS)):
        raise ValueError(f"{wrong[0]} goes with --task")
    if args.task is not None and (wrong := given(OF_AUTO)):
        raise ValueError(f"{wrong[0]} is for restoring without --task")
    if args.again is not None and (wrong := given(OF_PHOTOS)):
        raise ValueError(f"{wrong[0]} is in the report already: --from repeats it as it was")
    if args.task is None and args.mask is None and "missing" in args.only:
        raise ValueError("--only missing needs --mask: a picture, white where parts are missing")
    if args.task is None and args.strokes is None and "grey" in args.only:
        raise ValueError("--only grey needs --strokes: a copy of the photo with strokes of colour")
    if args.task is not None and args.output is None:
        raise ValueError("--task needs -o: the file to write")
    if args.task is not None and args.blur is not None and args.blur < 0.1:
        raise ValueError("--blur: --task deblur needs at least 0.1 pixels")
    if args.task == "inpaint" and args.mask is None:
        raise ValueError("--task inpaint needs --mask: a picture, white where to replace")
    for option, task in (("mask", "inpaint"), ("blur", "deblur"), ("factor", "superres")):
        if args.task not in (None, task) and getattr(args, option) is not None:
            raise ValueError(f"--{option} goes with --task {task}, not with {args.task}")


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `restore_photo`."""
    names = ["skip", "noise", "blur", "exposure", "mask", "strokes", "strength", "seed", "strip"]
    names += ["prior", "device", "precision"]
    return {"only": args.only or None, **{name: getattr(args, name) for name in names}}


def _photo(args: argparse.Namespace) -> int:
    from gdp_lite.one_photo import repeat, restore_photo

    talk: dict[str, Any] = {"overwrite": args.overwrite}
    if not args.quiet:
        talk |= {"say": say, "progress": Progress()}
    if args.again is not None:
        report = repeat(args.again, args.photo, args.output, **talk)
    else:
        report = restore_photo(args.photo, args.output, **_options(args), **talk)
    if args.report is not None:
        report.save(args.report)
    return 0


def _folder(args: argparse.Namespace) -> int:
    from gdp_lite.folder import restore_folder, table

    if args.output is None or args.output == "-":
        raise ValueError(f"{args.photo} is a folder: -o says the folder to write to")
    for name in ("mask", "strokes"):
        if getattr(args, name) is not None:
            raise ValueError(f"{args.photo} is a folder: --{name} is for a single photo")
    quiet = args.quiet
    rows = restore_folder(
        args.photo,
        args.output,
        reports=args.report,
        overwrite=args.overwrite,
        say=(lambda line: None) if quiet else say,
        progress=None if quiet else Progress,
        **_options(args),
    )
    if not quiet:
        for line in table(rows):
            say(line)
    return 2 if any(row.error for row in rows) else 0


def _preview(args: argparse.Namespace) -> int:
    from gdp_lite.preview import preview_photo

    options = _options(args)
    del options["strip"]
    preview_photo(
        args.photo,
        args.output,
        overwrite=args.overwrite,
        say=(lambda line: None) if args.quiet else say,
        **options,
    )
    return 0
