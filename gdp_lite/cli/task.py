"""``restore --task``: one task and nothing else, by `gdp_lite.sampler.restore`."""

import argparse
from typing import TYPE_CHECKING

from gdp_lite.cli.talk import Progress, say

if TYPE_CHECKING:  # torch takes seconds
    from torch import Tensor

    from gdp_lite.prior import Denoiser

MAX_PIXELS = 16_500_000  # of the phone photos at hand the largest has 12.2 million


def restore_task(args: argparse.Namespace) -> int:
    import torch  # only now, as it is slow to import; likewise what follows

    from gdp_lite.photos import check_output, read_mask, read_photo, write_photo
    from gdp_lite.policy import POLICY
    from gdp_lite.sampler import restore
    from gdp_lite.tasks import degradation_for, pick_device

    photo = read_photo(args.photo, MAX_PIXELS)
    check_output(args.output, args.photo, args.overwrite, photo)
    mask = None if args.mask is None else read_mask(args.mask, photo)
    device = pick_device(args.device)
    noise = None if args.noise is None else args.noise / 255
    factor = args.factor or 2
    degradation = degradation_for(
        args.task, photo.image, noise, args.blur, factor, mask, photo.lossy
    )
    if not args.quiet:
        say("loading the prior ...")

    from gdp_lite.precision import with_precision
    from gdp_lite.prior import load_prior
    from gdp_lite.tiling import OVERLAP, TILE, WHOLE, TiledPrior, count_tiles, fitted, how_seen

    height, width = photo.image.shape[-2:]
    steps = args.steps or POLICY[degradation.kind].steps
    large = height * width > WHOLE
    network = with_precision(load_prior(args.prior, device, say), device, args.precision)
    if (line := how_seen(network, height, width)) and not args.quiet:
        say(line)
    try:
        tiles = count_tiles(height, width, TILE, OVERLAP) if large else 1
        prior = _Counted(fitted(network), 0 if args.quiet else steps * tiles)
        result = restore(
            photo.image.to(device),
            degradation.to(device),
            TiledPrior(prior, TILE, OVERLAP) if large else prior,
            steps=steps,
            strength=args.strength,
            generator=torch.Generator().manual_seed(args.seed),
        )
        if prior.done < prior.calls:  # at low noise some of the steps coincide
            say("")
    except (RuntimeError, MemoryError) as error:  # so torch reports that memory is used up
        reason = (str(error) or "out of memory").splitlines()[0]
        raise ValueError(f"{args.photo} could not be restored on {device}: {reason}") from error
    restored = result.image
    if mask is not None:  # what was not asked to be replaced stays as it was
        restored = torch.where(mask == 1, photo.image, restored.cpu())
    check_output(args.output, args.photo, args.overwrite)  # it took minutes: look again
    removed = mask is not None
    notes = write_photo(args.output, restored, photo, removed=removed, strip=args.strip)
    if not args.quiet:
        for note in dict.fromkeys([*photo.notes, *notes]):
            say(note)
        if args.task == "deblur" and degradation.noise_only:
            say("the photo looks sharp: only noise is removed; --blur 1 insists")
        say(f"{args.output}: {args.task}, {width} x {height}, assumed {degradation.describe()};")
        residual = 255 * float(result.residual)
        say(f"degraded again, the result differs from the photo by {residual:.1f} of 255")
    return 0


class _Counted:
    """A denoiser whose calls, of so many, are told on stderr; calls: 0 for silence."""

    def __init__(self, prior: "Denoiser", calls: int):
        from gdp_lite.prior import schedule_of

        self.prior, self.calls = prior, calls
        self.schedule, self.multiple = schedule_of(prior), getattr(prior, "multiple", 1)
        self.done, self.progress = 0, Progress("network call")

    def __call__(self, x: "Tensor", sigma: "float | Tensor") -> "Tensor":
        x0_hat = self.prior(x, sigma)
        self.done += 1
        if self.calls:
            self.progress(self.done, self.calls)
        return x0_hat
