"""Fewer steps of the same diffusion: the schedule that visits only some of the times."""

import torch

from gdp_lite.schedule import NoiseSchedule


def respaced(schedule: NoiseSchedule, steps: int) -> tuple[NoiseSchedule, list[int]]:
    """The schedule that visits only `steps` evenly spaced times of another, and these times.

    steps: in 1..T, ValueError else. Returns (schedule with T = steps, list of its steps + 1 times
    in the other, from 0 to T): a step over many times is a forward step again. Source: Nichol and
    Dhariwal 2021, section 4.
    """
    if not 1 <= steps <= schedule.T:
        raise ValueError(f"steps must lie in 1..{schedule.T}, got {steps}")
    times = torch.linspace(0, schedule.T, steps + 1).round().long()
    alpha_bar = schedule.alpha_bar[times]
    return NoiseSchedule.from_betas(1 - alpha_bar[1:] / alpha_bar[:-1]), times.tolist()
