"""One thread a process, quiet progress bars, and the place of the photos beside the project."""

import os
from pathlib import Path

# Before torch is imported, and inherited by the notebooks' kernels: two workers with two
# threads each would fight for two cores, and sums would round differently than stored.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared():
    """The folder of test photos that are not in the repository, from GDP_SHARED."""
    place = os.environ.get("GDP_SHARED")
    if not place or not Path(place).is_dir():
        pytest.skip("GDP_SHARED does not name the folder with the photos of DATA.md")
    return Path(place)


@pytest.fixture(scope="session")
def prior():
    """The bundled prior."""
    from gdp_lite.prior import load_prior

    return load_prior()
