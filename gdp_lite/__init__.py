"""gdp_lite: restore photos by guided sampling from a diffusion prior.

The package that the book builds, one module per idea, in the book's order: `schedule` and
`diffusion` (Eqs. 2-5), `prior`, `train` and `tiling` (the network), `degradations` (Eq. 1),
`estimators` (what one photo tells of Phi), `losses` (Eqs. 8-9), `algorithm` (Algorithm 1) and
`sampler` (its practical form), then `photos`, `diagnosis`, `restoring` and `one_photo` (a photo in,
a better one out), `tasks`, `cli`. `gdp_lite.book` holds what the chapters alone need. The names
below are the public ones; they are imported when they are first used, since torch takes seconds.
"""

import tomllib
from importlib import import_module, metadata
from pathlib import Path

_HOME = {
    "NoiseSchedule": "schedule",
    "linear_schedule": "schedule",
    "cosine_schedule": "schedule",
    "Denoiser": "prior",
    "Prior": "prior",
    "load_prior": "prior",
    "TiledPrior": "tiling",
    "Degradation": "degradations",
    "Compose": "degradations",
    "algorithm_1": "algorithm",
    "diagnose": "diagnosis",
    "Diagnosis": "diagnosis",
    "restore_photo": "one_photo",
    "Report": "report",
    "restore": "sampler",
    "Restoration": "step",
    "Step": "step",
    "POLICY": "policy",
    "Estimate": "estimators",
    "read_photo": "photos",
    "train_prior": "train",
    "write_photo": "photos",
}
__all__ = sorted(_HOME)


def _version() -> str:
    """The version that pyproject.toml states, also in a checkout that is not installed."""
    try:
        return metadata.version("gdp-lite")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]


__version__ = _version()


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gdp_lite' has no attribute {name!r}")
    return getattr(import_module(f"gdp_lite.{_HOME[name]}"), name)
