"""The repository's address: one place decides, `book/address.py` keeps the copies equal."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = ROOT / "book" / "address.py"
TOOLS = runpy.run_path(str(COMMAND))
HERE = TOOLS["configured"]()
NOTEBOOKS = sorted(
    p for p in (ROOT / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
)
COLAB = "https://colab.research.google.com/"
ELSEWHERE = [
    "https://github.com/you/fork",
    "https://git.example.org/group/sub/x",
    "file:///tmp/a.b",
]

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


PICTURE = re.compile(rb"[A-Za-z0-9+/=]{1000,}")  # coded in the output of a notebook


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """The command and all files that it may change, those of megabytes without their pictures."""
    place = tmp_path_factory.mktemp("light")
    for path in {path for p in TOOLS["PLACES"] for path in ROOT.glob(p)} | {COMMAND}:
        copy = place / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(PICTURE.sub(b"", path.read_bytes()))
    assert sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) < 6e6
    return place


@pytest.fixture
def tree(light, tmp_path):
    """A copy of these that a test may change."""
    return shutil.copytree(light, tmp_path / "tree")


@pytest.fixture
def whole(tree):
    """With the pictures."""
    for place in TOOLS["PLACES"]:
        for path in ROOT.glob(place):
            shutil.copyfile(path, tree / path.relative_to(ROOT))
    return tree


def run(tree, *arguments):
    command = [sys.executable, tree / "book" / "address.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def contents(tree):
    return {p.relative_to(tree): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def edit(path, old, new):
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode()))


def cell(path, number, kind):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join([c for c in cells if c["cell_type"] == kind][number]["source"])


def test_all_copies_agree():
    done = run(ROOT)
    assert done.returncode == 0, done.stdout


def test_there_are_no_copies_elsewhere():
    """Neither the address nor its owner stands in a file that the command does not look at."""
    name = HERE.url.removeprefix("https://github.com/")
    found = subprocess.run(
        ["git", "grep", "--untracked", "--files-with-matches", "--fixed-strings", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if found.returncode > 1:
        pytest.skip(f"no git checkout: {found.stderr.strip()}")
    known = {str(path.relative_to(ROOT)) for place in TOOLS["PLACES"] for path in ROOT.glob(place)}
    assert set(found.stdout.splitlines()) <= known


@each
def test_a_notebook_opens_itself_in_colab(path):
    badge = HERE.colab(path.relative_to(ROOT).as_posix())
    assert f"]({badge})" in cell(path, 0, "markdown")


@each
def test_a_notebook_installs_from_the_address(path):
    assert f'"git+{HERE.url}@{HERE.branch}"' in cell(path, 0, "code")


@pytest.mark.slow
@pytest.mark.parametrize("url", ELSEWHERE)
def test_there_and_back(whole, url):
    before = contents(whole)
    assert run(whole, url, "--branch", "release/2.0").returncode == 0
    there = contents(whole)
    changed = {path for path in before if before[path] != there[path]}
    copied = {path.relative_to(ROOT) for path in NOTEBOOKS}
    assert changed >= {Path("_config.yml"), Path("CITATION.cff"), *copied}
    old = HERE.url.removeprefix("https://github.com/").encode()
    assert [path for path in there if old in there[path]] == []
    assert run(whole).returncode == 0

    again = run(whole, url)
    assert again.returncode == 0
    assert "Nothing to change" in again.stdout
    assert contents(whole) == there

    assert run(whole, HERE.url, "--branch", HERE.branch).returncode == 0
    assert contents(whole) == before


def test_says_what_it_changed(tree):
    done = run(tree, "https://github.com/you/fork.git/")
    lines = done.stdout.splitlines()
    assert "changed _config.yml" in lines
    assert f"changed {NOTEBOOKS[0].relative_to(ROOT)}" in lines
    assert lines[-1] == f"Now https://github.com/you/fork, branch {HERE.branch}"


@pytest.mark.parametrize("url", ELSEWHERE)
def test_notebooks_after_a_change(tree, url):
    """They stay what they were, but for the badge and one line of the set-up cell."""
    assert run(tree, url, "--branch", "dev").returncode == 0
    for path in NOTEBOOKS:
        copy = tree / path.relative_to(ROOT)
        setup = cell(copy, 0, "code")
        assert f'"git+{url}@dev"' in setup
        compile(setup, path.name, "exec")
        github = url.startswith("https://github.com/")
        link = "github/you/fork/blob/dev/" if github else "?upload="
        assert f"({COLAB}{link}{path.relative_to(ROOT).as_posix()})" in cell(copy, 0, "markdown")


def test_links_on_pages_follow(tree):
    """All the forms in which a page may name the repository, and none of its neighbours."""
    page = tree / "book" / "index.md"
    text = (
        f"{HERE.url} {HERE.url}. <{HERE.url}.git> [i]({HERE.url}/issues/3)\n"
        f"{HERE.url}/blob/{HERE.branch}/x.py {HERE.url}/blob/0123abc/x.py\n"
        f"pip install git+{HERE.url}@{HERE.branch}\n"
        f"{HERE.url}-extra {HERE.url}.github.io https://github.com/other/thing {COLAB}drive/1\n"
    )
    page.write_text(text)
    assert run(tree, "https://github.com/you/fork", "--branch", "dev").returncode == 0
    new = "https://github.com/you/fork"
    assert page.read_text() == (
        f"{new} {new}. <{new}.git> [i]({new}/issues/3)\n"
        f"{new}/blob/dev/x.py {new}/blob/0123abc/x.py\n"
        f"pip install git+{new}@dev\n"
        f"{HERE.url}-extra {HERE.url}.github.io https://github.com/other/thing {COLAB}drive/1\n"
    )


NOTEBOOK = str(NOTEBOOKS[0].relative_to(ROOT))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("CITATION.cff", HERE.url, "https://example.org/a/b"),
        (NOTEBOOK, f"git+{HERE.url}@", "git+https://example.org/a/b@"),
        (NOTEBOOK, f"git+{HERE.url}@{HERE.branch}", f"git+{HERE.url}@other"),
        (NOTEBOOK, HERE.colab(NOTEBOOK), f"{COLAB}github/a/b/blob/main/{NOTEBOOK}"),
        ("README.md", "# ", "# https://github.com/someone/gdp-lite "),
    ],
    ids=["citation", "set-up", "set-up's branch", "badge", "link"],
)
def test_a_copy_that_disagrees_is_named_and_mended(tree, file, old, new):
    before = contents(tree)
    edit(tree / file, old, new)
    done = run(tree)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == [file]
    assert run(tree, HERE.url).stdout.startswith(f"changed {file}\n")
    assert run(tree).returncode == 0
    if file != "README.md":
        assert contents(tree) == before


def test_a_change_in_the_configuration_alone_is_noticed(tree):
    edit(tree / "_config.yml", HERE.url, "https://gitlab.com/you/fork")
    done = run(tree)
    assert done.returncode == 1
    assert "CITATION.cff" in done.stdout
    assert NOTEBOOK in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["github.com/you/fork"],
        ["https://github.com/you"],
        ["https://github.com/you/fork/tree/main"],
        ["git@github.com:you/fork"],
        ["ssh://git@github.com/you/fork"],
        ["http://www.github.com/you/fork"],
        ["file:///tmp/a folder"],
        ['https://example.org/a"b'],
        ["https://example.org/a\nb"],
        ["https://"],
        [""],
        [HERE.url, "--branch", ""],
        [HERE.url, "--branch", "--force"],
        [HERE.url, "--branch", "a b"],
        [HERE.url, "--branch=-x"],
        [HERE.url, "--branch", "a..b"],
        [HERE.url, "another"],
        ["--nonsense"],
    ],
    ids=repr,
)
def test_bad_input(tree, arguments):
    before = contents(tree)
    done = run(tree, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("address.py: ")
    assert len(done.stderr.splitlines()) == 1
    assert contents(tree) == before


@pytest.mark.parametrize("text", [None, "title: x\n", "repository:\n  url: here\n  branch: main\n"])
def test_a_configuration_without_an_address(tree, text):
    config = tree / "_config.yml"
    config.unlink()
    if text is not None:
        config.write_text(text)
    done = run(tree, "https://github.com/you/fork")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
