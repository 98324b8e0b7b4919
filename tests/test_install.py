"""The package alone: what it declares is what it needs, and all that it needs to run.

The slow test fills an empty environment and needs the package index.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Of these nothing is promised without their extra; __main__ runs the command line.
LEFT_OUT = r"gdp_lite\.(book|interop|__main__)\b"
IMPORT_ALL = f"""
import importlib, json, pkgutil, re, sys
import gdp_lite
names = [m.name for m in pkgutil.walk_packages(gdp_lite.__path__, "gdp_lite.")]
names = [name for name in names if not re.match({LEFT_OUT!r}, name)]
modules = [importlib.import_module(name) for name in names]
public = [getattr(gdp_lite, name) for name in gdp_lite.__all__]
print(json.dumps([gdp_lite.__version__, gdp_lite.__file__, names]))
"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)


def pip(python, *arguments):
    """The running environment's pip, at work in that of `python`."""
    return run(sys.executable, "-m", "pip", "--python", python, *arguments)


def pins():
    """{name: version} of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"([\w.-]+)==(\S+)", line) for line in lines)
    return {canonicalize_name(m[1]): m[2] for m in found if m}


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_what_is_declared_is_pinned_within_its_range(extra):
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, wanted):
        if requirement.name != "gdp-lite":
            version = pins()[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement}, {version} is pinned"


def test_the_version_is_that_of_the_citation():
    stated = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert stated[1] == PROJECT["version"]


@pytest.fixture
def copy(tmp_path):
    """What pip needs of the tree, and no more; a build in place would leave its files there."""
    place = tmp_path / "copy"
    shutil.copytree(ROOT / "gdp_lite", place / "gdp_lite", ignore=lambda *_: ["__pycache__"])
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    return place


def test_a_checkout_that_is_not_installed_knows_its_version(copy):
    code = "import gdp_lite; print(gdp_lite.__version__)"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = run(sys.executable, "-S", "-c", code, env=environment, cwd=copy.parent)
    assert done.stdout.strip() == PROJECT["version"], done.stderr


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """The python of an environment with nothing in it, and nothing from around it."""
    for name in ("PYTHONPATH", "GDP_SHARED"):
        monkeypatch.delenv(name, raising=False)
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    probe = ("download", "--quiet", "--no-deps", "--dest", tmp_path / "probe", "safetensors")
    done = pip(python, *probe)
    if done.returncode:
        pytest.skip(f"no package index: {done.stderr.strip()[-200:]}")
    return python


@pytest.mark.slow
def test_pip_install_alone_imports_everything_and_restores_a_photo(copy, empty, tmp_path):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(f"{name}=={version}" for name, version in pins().items()))
    done = pip(empty, "install", "--quiet", "--no-compile", copy, "-c", constraints)
    assert done.returncode == 0, done.stderr

    done = run(empty, "-I", "-c", IMPORT_ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    version, package, names = json.loads(done.stdout)
    assert version == PROJECT["version"]
    assert {"gdp_lite.sampler", "gdp_lite.train", "gdp_lite.estimators.kernel"} < set(names)
    installed = Path(package).parent
    assert installed.is_relative_to(tmp_path / "venv")

    def files(folder):
        found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {path for path in found if "__pycache__" not in path.parts}

    assert files(installed) == files(ROOT / "gdp_lite")

    photo = data.astronaut()[60:156, 180:276]
    noise = 25 * np.random.default_rng(0).standard_normal(photo.shape)
    noisy = (photo + noise).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "photo.png")
    command = ("restore", "photo.png", "-o", "out.png", "--task", "denoise", "--quiet")
    done = run(empty.with_name("gdp-lite"), *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "libraries' remarks are not for the user of a command"
    restored = np.asarray(Image.open(tmp_path / "out.png")).astype(float)

    def error(image):
        return float(np.square(image - photo.astype(float)).mean()) ** 0.5

    assert error(restored) < 0.6 * error(noisy.astype(float))
