"""A degradation of one's own, as CONTRIBUTING and the page of degradations show it: ten lines."""

import re
from pathlib import Path

import pytest
import torch
from exact import GaussianPrior, normal
from skimage import data

from gdp_lite.algorithm import algorithm_1
from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import Compose, Degradation, GaussianBlur
from gdp_lite.image import from_uint8, to_display
from gdp_lite.prior import load_prior
from gdp_lite.sampler import restore

ROOT = Path(__file__).parents[1]


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


def own(page):
    """The class of the page's first Python block that defines one, executed."""
    block = next(b for b in blocks(page) if "(Degradation)" in b)
    definition = block[block.index("class") :].split("\n\n\n")[0].rstrip()
    assert len(definition.splitlines()) <= 10, "ten lines, not more"
    names = {}
    exec(block, names)
    return next(
        v
        for v in names.values()
        if isinstance(v, type) and issubclass(v, Degradation) and v is not Degradation
    )


@pytest.fixture(params=["CONTRIBUTING.md", "book/degradations.md"])
def kind(request):
    return own(request.param)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scene():
    return to_display(0.2 + 0.2 * normal(1, 3, 16, 16)).float()


def test_it_is_undone_known_and_composed(kind):
    x, prior = scene(), GaussianPrior(mean=0.2, var=0.04)
    for degradation in (kind(sigma=0.01), Compose(GaussianBlur(3, 0.5), kind(sigma=0.01))):
        degradation.requires_grad_(False)
        y = degradation.simulate(x, generator(1))
        result = restore(y, degradation, prior, 8, generator=generator())
        error = (result.image - x).square().mean()
        assert float(error) < 0.3 * float((y - x).square().mean())
        assert float(result.residual) < 0.02


def test_its_phi_is_learned(kind):
    """Blind, in both samplers."""
    x, prior = scene(), GaussianPrior(mean=0.2, var=0.04)
    truth = kind(sigma=0.01)
    y = truth.simulate(x, generator(1)).detach()
    start = kind(sigma=0.01).randomise(generator(3))
    assert any(p.requires_grad for p in start.parameters()), "there is a Phi to find"
    found = restore(y, start, prior, initial="given", generator=generator())
    for name, value in truth.phi().items():
        far, near = (
            float((phi - value).abs().max()) for phi in (start.phi()[name], found.phi[name])
        )
        assert near < 0.5 * far, f"{name} comes nearer to the truth"
    before = start.phi()
    algorithm_1(y, start, prior, s=0.01, eta=1e-4, generator=generator())
    assert any(not torch.equal(before[name], value) for name, value in start.phi().items())


def test_what_the_photo_tells_is_said_in_guess():
    """CONTRIBUTING's veil, with the bundled prior: learned, little of it is found; guessed, all."""
    names, (first, second) = {}, [b for b in blocks("CONTRIBUTING.md") if "Haze" in b]
    exec(first + second, names)
    x = from_uint8(data.coffee()[164:228, 214:278])
    y = names["Haze"](0.5, 0.01).simulate(x, generator()).detach()
    prior = load_prior()
    learned = restore(y, names["Haze"](sigma=0.01), prior, generator=generator())
    guessed = restore(y, names["SeenHaze"](sigma=0.01), prior, generator=generator())
    assert float(learned.phi["veil"]) < 0.2, "as the guide says"
    assert abs(float(guessed.phi["veil"]) - 0.5) < 0.03
    assert psnr(guessed.image, x) > psnr(learned.image, x) + 10


def test_it_has_a_line_in_the_report(kind):
    line = Compose(GaussianBlur(3, 0.5), kind(sigma=0.01)).describe()
    assert line.startswith("GaussianBlur, width 0.5 pixels; then ")
    assert kind.__name__ in line
    assert "noise 2.6 of 255" in line
    assert "\n" not in line
