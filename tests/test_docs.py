"""Every example in a docstring runs, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
import torch

import gdp_lite
import gdp_lite.degradations
import gdp_lite.estimators
import gdp_lite.photos

LEFT_OUT = {
    "gdp_lite.__main__",  # runs the command line
    "gdp_lite.interop",  # needs deepinv; tests/test_interop.py tests it
}
# Public names without an example of their own, and why.
WITHOUT = {
    "Step": "only a sampler makes one",
    "train_prior": "needs photos and minutes",
    "POLICY": "a table; `Policy` has one",
}


def modules():
    """All modules of the package but those of the book."""
    for module in pkgutil.walk_packages(gdp_lite.__path__, "gdp_lite."):
        if module.name not in LEFT_OUT and not module.name.startswith("gdp_lite.book"):
            yield module.name


def public():
    """The names that the package offers, by where they stand."""
    photos = set(gdp_lite.photos.__all__) - {"Origin"}
    yield from ((gdp_lite, name) for name in gdp_lite.__all__)
    yield from ((gdp_lite.degradations, name) for name in gdp_lite.degradations.__all__)
    yield from ((gdp_lite.estimators, name) for name in gdp_lite.estimators.__all__)
    yield from ((gdp_lite.photos, name) for name in sorted(photos))


@pytest.mark.parametrize("name", list(modules()))
def test_examples_run(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = importlib.import_module(name)
        found = doctest.testmod(module, extraglobs={"torch": torch}, report=False)
    assert not found.failed, f"{found.failed} of {found.attempted} examples fail: see the output"


@pytest.mark.parametrize(("place", "name"), list(public()))
def test_every_public_name_has_an_example(place, name):
    doc = inspect.getdoc(getattr(place, name)) or ""
    assert ("Examples\n--------\n>>>" in doc) != (name in WITHOUT)


def arguments(thing):
    """The names of what a function, or a class when it is made, is called with."""
    names = inspect.signature(thing).parameters
    return set(names) - {"self"}


@pytest.mark.parametrize(("place", "name"), list(public()))
def test_every_argument_is_explained(place, name):
    """In the section of the parameters, by name; no other stands there."""
    thing = getattr(place, name)
    if name in ("Denoiser", "POLICY", "PhotoError"):  # are not called
        return
    doc = inspect.getdoc(thing)
    section = doc.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    heads = [line.split(" : ")[0] for line in section.splitlines() if not line.startswith(" ")]
    explained = {name.lstrip("*") for head in heads for name in head.split(", ")}
    assert explained == arguments(thing)


@pytest.mark.parametrize(("place", "name"), list(public()))
def test_every_public_function_has_types(place, name):
    """Of every argument, and of what it returns; of a class, of its own public methods."""
    thing = getattr(place, name)
    methods = [thing] if inspect.isfunction(thing) else []
    if inspect.isclass(thing):
        methods = [
            value
            for member, value in vars(thing).items()
            if inspect.isfunction(value) and not member.startswith("_")
        ]
    for method in methods:
        signature = inspect.signature(method)
        untyped = [
            p.name
            for p in signature.parameters.values()
            if p.annotation is p.empty and p.name != "self"
        ]
        assert not untyped, f"{method.__qualname__}: {untyped}"
        assert signature.return_annotation is not signature.empty, method.__qualname__
