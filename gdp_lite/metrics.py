"""How near one image is to another."""


def psnr(image, truth):
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE), for each image of the batch; (B,).

    Images (B, 3, H, W) in display range; `image` is clipped to [0, 1] first, as a file would.
    """
    error = (image.clamp(0, 1) - truth).square().flatten(1).mean(1)
    return -10 * error.log10()
