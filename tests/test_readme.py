"""The README's example does what it says, on a photo that was made worse on purpose."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from gdp_lite.book.metrics import psnr
from gdp_lite.degradations import GaussianBlur
from gdp_lite.image import from_uint8, to_uint8

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs_and_improves_its_photo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = torch.nn.functional.avg_pool2d(from_uint8(data.astronaut()), 2)[..., 40:168, 40:168]
    y = GaussianBlur(13, 1.5, 4 / 255).simulate(x, torch.Generator().manual_seed(0))
    Image.fromarray(to_uint8(y)).save("photo.jpg", quality=97, subsampling=0)
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(example, {})
    width = float(re.search(r"\d\.\d+", capsys.readouterr().out)[0])
    assert abs(width - 1.5) < 0.25
    after = from_uint8(np.asarray(Image.open("restored.jpg")))
    before = from_uint8(np.asarray(Image.open("photo.jpg")))
    assert float(psnr(after, x)) > float(psnr(before, x)) + 1
