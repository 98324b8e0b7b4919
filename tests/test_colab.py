"""Every notebook as a reader meets it in Colab: alone in an empty folder, without gdp_lite.

The environment has Colab's diffusers and ipywidgets, and otherwise the packages of the running
one, through links. The notebooks install gdp_lite from a git repository that holds the working
tree as it is now. Needs git and the package index.
"""

import json
import re
import runpy
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOOLS = runpy.run_path(str(ROOT / "book" / "address.py"))
NOTEBOOKS = sorted(
    p for p in (ROOT / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
)
# This diffusers asks for a huggingface_hub older than the running environment's, and works with
# both. So there is something that pip would replace, were it not for the cell's --no-deps.
COLAB = ("diffusers==0.39.*", "ipywidgets==7.7.1", "ipython_genutils==0.2.*")
OTHERS = "pip|gdp_lite|lpips|pywt|pywavelets|diffusers|ipywidgets|widgetsnbextension"
NOT_LINKED = re.compile(rf"(?i)(__editable__[._]*)?({OTHERS})([-._]|$)|.*\.pth$")
PROBE = """
import json, gdp_lite.prior
found = {"package": gdp_lite.__file__, "prior": str(gdp_lite.prior.BUNDLED)}
print(json.dumps(found))
"""

VIEW = "application/vnd.jupyter.widget-view+json"
MOVE = """
from ipywidgets import VBox, Widget
for box in [w for w in Widget.widgets.values() if isinstance(w, VBox)]:
    *controls, picture = box.children
    for control in controls:
        before, control.index = picture.value, len(control.options) - 1
        assert picture.value != before
        assert 'alt="' in picture.value
        print(box.model_id)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("git"), reason="no git"),
]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The folder of the environment, whose kernel is called colab."""
    place = tmp_path_factory.mktemp("colab")
    venv.create(place / "venv", with_pip=True)
    python = place / "venv" / "bin" / "python"
    done = run(python, "-m", "pip", "install", "--quiet", "--no-deps", *COLAB)
    if done.returncode:
        pytest.skip(f"the package index gives no {COLAB[0]}: {done.stderr.strip()[-200:]}")

    linked = place / "linked"
    linked.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(folder).iterdir():
            if not NOT_LINKED.match(entry.name):
                (linked / entry.name).symlink_to(entry)
    (site_packages(place / "venv") / "linked.pth").write_text(f"{linked}\n")

    kernel = ("-m", "ipykernel", "install", "--prefix", place / "venv", "--name", "colab")
    done = run(python, *kernel)
    assert done.returncode == 0, done.stderr
    return place / "venv"


def site_packages(environment):
    return Path(sysconfig.get_path("purelib", "venv", {"base": environment}))


@pytest.fixture
def colab(environment, monkeypatch):
    """The environment as Colab starts it, and nothing of the running one's surroundings."""
    monkeypatch.setenv("JUPYTER_PATH", str(environment / "share" / "jupyter"))
    for name in ("PYTHONPATH", "GDP_SHARED"):
        monkeypatch.delenv(name, raising=False)
    yield environment
    pip = (environment / "bin" / "python", "-m", "pip")
    assert run(*pip, "uninstall", "--yes", "gdp_lite", "PyWavelets").returncode == 0


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The address of a git repository with the working tree, uncommitted changes included."""
    folder = tmp_path_factory.mktemp("git") / "repository.git"
    git = ("git", "--git-dir", folder, "--work-tree", ROOT)
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=0")
    for command in (
        ("git", "init", "--bare", "--initial-branch=main", folder),
        (*git, "add", "--all"),
        (*git, *who, "commit", "--message", "As it is now"),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    return TOOLS["checked"](folder.as_uri(), "main")


def packages(environment):
    """{name: version} of all that pip finds."""
    done = run(environment / "bin" / "python", "-m", "pip", "list", "--format", "json")
    return {p["name"].lower().replace("_", "-"): p["version"] for p in json.loads(done.stdout)}


class Reader(NotebookClient):
    """Tells the kernel, unlike other programs, that somebody is there to type and to drag."""

    async def async_start_new_kernel_client(self):
        client = await super().async_start_new_kernel_client()
        client.allow_stdin = True
        return client


def alone(path, folder, address):
    """The notebook, copied into the folder with another address, to be run there as by a reader."""
    text = TOOLS["renewed"](path.read_text(encoding="utf-8"), TOOLS["configured"](), address)
    (folder / path.name).write_text(text, encoding="utf-8")
    notebook = nbformat.read(folder / path.name, as_version=4)
    resources = {"metadata": {"path": folder}}
    return Reader(notebook, kernel_name="colab", timeout=300, resources=resources)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_from_top_to_bottom(path, colab, repository, tmp_path):
    before = packages(colab)
    assert before["diffusers"].startswith("0.39.")
    assert before["ipywidgets"] == "7.7.1"
    assert int(before["huggingface-hub"].split(".")[0]) >= 2, "nothing tests --no-deps"

    client = alone(path, tmp_path, repository)
    client.nb.cells += map(nbformat.v4.new_code_cell, (PROBE, MOVE))
    client.execute()

    *cells, probe, move = (cell for cell in client.nb.cells if cell.cell_type == "code")
    shown = [output.get("data", {}) for cell in cells for output in cell.outputs]
    moving = [data for data in shown if "gdp-live" in data.get("text/html", "")]
    twins = {data[VIEW]["model_id"] for data in moving if VIEW in data}
    assert len(twins) == sum('gdp-pair"' not in data["text/html"] for data in moving)
    assert {name for output in move.outputs for name in output.text.split()} == twins

    found = json.loads(probe.outputs[0].text)
    assert Path(found["package"]).is_relative_to(site_packages(colab))
    assert Path(found["prior"]).is_relative_to(site_packages(colab))
    assert list(Path(found["prior"]).rglob("*.safetensors"))
    after = packages(colab)
    new = {name: after.pop(name, None) for name in ("gdp-lite", "pywavelets")}
    assert all(new.values())
    assert after == before


def test_installs_nothing_where_gdp_lite_is_there(monkeypatch):
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    set_up = next(cell.source for cell in cells if cell.cell_type == "code")
    monkeypatch.setattr(subprocess, "run", None)
    exec(set_up, {})


def test_a_failed_installation_is_one_line(colab, tmp_path):
    """No traceback: where it went wrong is of no interest, what to do is."""
    nowhere = TOOLS["checked"]((tmp_path / "nowhere").as_uri(), "main")
    client = alone(NOTEBOOKS[0], tmp_path, nowhere)
    client.nb.cells = [c for c in client.nb.cells if c.cell_type == "code"][:1]
    client.allow_errors = True
    client.execute()
    (error,) = [o for o in client.nb.cells[0].outputs if o.output_type == "error"]
    assert error.ename == "SystemExit"
    assert len(error.evalue.splitlines()) == 1
    assert error.evalue.endswith(
        f"%pip install --quiet --no-deps git+{nowhere.url}@main PyWavelets"
    )
    assert "set-up" not in "".join(error.traceback), "a page of code"
