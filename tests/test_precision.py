"""A network in bfloat16: where it is used, by how much its pictures differ, what is said of it."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from skimage import data

from gdp_lite import diagnose, one_photo, precision
from gdp_lite.cli import main
from gdp_lite.diagnosis import told
from gdp_lite.image import from_uint8
from gdp_lite.one_photo import loaded, repeat, restore_photo
from gdp_lite.precision import AGREEMENT, LEVEL, in_precision, precision_in, quickest
from gdp_lite.prior import Prior, load_prior
from gdp_lite.report import read_report
from gdp_lite.restoring import restore_image
from gdp_lite.schedule import linear_schedule
from gdp_lite.tiling import TiledPrior

SIDE = 96


@pytest.fixture(scope="module")
def prior():
    return load_prior()


@pytest.fixture(scope="module")
def half(prior):
    return in_precision(prior, torch.bfloat16)


@pytest.fixture(autouse=True)
def fresh():
    one_photo._load.cache_clear()
    yield
    one_photo._load.cache_clear()


def agreement(one, other):
    return -10 * float((one - other).square().mean().log10())


def picture(side=SIDE):
    return from_uint8(data.astronaut())[..., 60 : 60 + side, 180 : 180 + side]


@pytest.mark.parametrize(
    ("kinds", "options"), [("noise", {"noise": 12}), ("softness", {"blur": 1})]
)
def test_restored_photos_agree(prior, half, kinds, options):
    seeded = torch.Generator().manual_seed(0)
    y = (picture() + 12 / 255 * torch.randn(1, 3, SIDE, SIDE, generator=seeded)).clamp(0, 1)
    diagnosis = told(diagnose(y), **options)
    full, quick = (restore_image(y, diagnosis, p, [kinds]) for p in (prior, half))
    assert float((full - quick).abs().max()) > 0
    assert agreement(full, quick) > AGREEMENT
    assert float((full - y).abs().mean()) > 20 * float((full - quick).abs().mean())


def test_less_noise_agrees_better(prior, half):
    seeded = torch.Generator().manual_seed(0)
    n = torch.randn(1, 3, SIDE, SIDE, generator=seeded)
    with torch.no_grad():
        found = [
            agreement(prior(picture() + s * n, s), half(picture() + s * n, s))
            for s in (4 * LEVEL, LEVEL, LEVEL / 5)
        ]
    assert found == sorted(found)
    assert found[1] > AGREEMENT + 6


class Cancelling(torch.nn.Module):
    """The noise as the difference of two large products, which bfloat16 has not the digits for."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(3, 3, 1, bias=False) for _ in range(2))
        for layer, size in zip(self.layers, (1000.0, 999.0), strict=True):
            layer.weight.data = size * torch.eye(3)[..., None, None]

    def forward(self, x, t):
        return SimpleNamespace(sample=self.layers[0](x) - self.layers[1](x))


def test_only_a_processor_that_has_it_and_a_prior_that_agrees(prior, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert quickest(prior) == torch.float32
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    assert quickest(prior) == torch.bfloat16
    assert quickest(Prior(Cancelling(), linear_schedule())) == torch.float32
    assert quickest(lambda x, sigma: x) == torch.float32


def test_the_agreement_is_asked_for_in_decibels(prior, half, monkeypatch):
    """What the prior reaches on that picture, within half a decibel of where the answer turns."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    seeded = torch.Generator().manual_seed(0)
    y = torch.linspace(0.1, 0.9, 64).expand(1, 3, 64, 64)
    y = y + LEVEL * torch.randn(y.shape, generator=seeded)
    with torch.no_grad():
        reached = agreement(prior(y, LEVEL), half(y, LEVEL))
    for more, dtype in ((-0.5, torch.bfloat16), (0.5, torch.float32)):
        monkeypatch.setattr(precision, "AGREEMENT", reached + more)
        assert quickest(prior) == dtype


def test_the_prior_that_was_given_stays_as_it_is(prior, half):
    x = torch.full((1, 3, 16, 16), 0.3)
    tiled = in_precision(TiledPrior(prior, 16, 8), torch.bfloat16)
    assert (precision_in(prior), precision_in(half), precision_in(tiled)) == ("no", "bf16", "bf16")
    assert prior(x, 0.1).dtype == half(x, 0.1).dtype == torch.float32
    assert loaded(prior, "cpu") is prior
    assert precision_in(loaded(prior, "cpu", "bf16")) == "bf16"


@pytest.mark.parametrize("has", [False, True])
def test_a_report_says_it_and_is_repeated_by_it(tmp_path, monkeypatch, has):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has)
    Image.fromarray(data.astronaut()[60 : 60 + SIDE, 180 : 180 + SIDE]).save(tmp_path / "a.png")
    report = restore_photo(tmp_path / "a.png", tmp_path / "b.png", noise=8, device="cpu")
    assert report.settings["precision"] == ("bf16" if has else "no")
    report.save(tmp_path / "a.json")
    monkeypatch.setattr(precision, "has_bfloat16", lambda: not has)  # as on another machine
    repeat(tmp_path / "a.json", output=tmp_path / "c.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_an_older_report_was_in_float32(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    report = restore_photo(tmp_path / "a.png").as_json()
    del report["settings"]["precision"]
    (tmp_path / "a.json").write_text(json.dumps(report))
    assert read_report(tmp_path / "a.json").settings["precision"] == "no"


@pytest.mark.parametrize("more", [[], ["--task", "denoise", "-o", "b.png"]])
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, more):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()[:SIDE, :SIDE]).save("a.png")
    line = ["restore", "a.png", "--device", "cpu", "--noise", "9", "--precision", "fp16", *more]
    assert main(line) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        "gdp_lite: fp16 needs CUDA: bf16 has float32's range"
    )


def test_of_a_task_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()[:SIDE, :SIDE]).save("a.png")
    line = ["restore", "a.png", "--task", "denoise", "--device", "cpu", "--noise", "9", "-q"]
    for name in ("no", "bf16"):
        assert main([*line, "--precision", name, "-o", f"{name}.png"]) == 0
    one, other = (from_uint8(Image.open(f"{name}.png")) for name in ("no", "bf16"))
    assert agreement(one, other) > AGREEMENT
    assert not torch.equal(one, other)
