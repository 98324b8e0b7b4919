"""The repository's address: `_config.yml` decides it, and this command keeps its copies equal.

    python book/address.py                                        # do all copies agree?
    python book/address.py https://github.com/you/fork --branch dev

Copies are the set-up cells, the links to Colab, CITATION.cff, and what links to the repository.
Files are rewritten as text, so that nothing but the address changes in a notebook.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PLACES = (
    *("_config.yml", "CITATION.cff", "pyproject.toml", "*.md"),
    *("book/**/*.ipynb", "book/**/*.md", "gdp_lite/**/*.md"),
)
GITHUB = "https://github.com/"
COLAB = "https://colab.research.google.com/"


class Address(NamedTuple):
    """Where git finds the repository, and the branch that readers get."""

    url: str
    branch: str

    def colab(self, notebook):
        """The link that opens a notebook in Colab. Colab can do so from GitHub only: for another
        host the link leads to its start page, and names the notebook to upload there."""
        if self.url.startswith(GITHUB):
            return f"{COLAB}github/{self.url[len(GITHUB) :]}/blob/{self.branch}/{notebook}"
        return f"{COLAB}?upload={notebook}"


def checked(url, branch):
    """The two as an Address; ValueError where pip and git could not follow it."""
    url = url.rstrip("/")
    if not re.fullmatch(r"(https?|ssh|git|file)://[\w.~@:%+/-]+", url, re.ASCII):
        raise ValueError(f"{url!r} is no address like {GITHUB}you/fork or file:///folder")
    if re.search(r"(^|[@.])github\.com(:|$)", url.split("/")[2], re.IGNORECASE):
        url = url.removesuffix(".git")
        if not re.fullmatch(re.escape(GITHUB) + r"[\w-]+/[\w.-]+", url, re.ASCII):
            raise ValueError(f"{url!r} is on GitHub: write it as {GITHUB}you/fork")
    if not re.fullmatch(r"\w[\w-]*([./]\w[\w-]*)*", branch, re.ASCII):
        raise ValueError(f"{branch!r} is not the name of a branch")
    return Address(url, branch)


def configured():
    """The Address that stands in `_config.yml`."""
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    found = re.search(r"^repository:\n  url: (\S+)\n  branch: (\S+)", text, re.MULTILINE)
    if not found:
        raise ValueError("_config.yml has no `repository:` with `url:` and `branch:` below it")
    return checked(*found.groups())


def renewed(text, old, new):
    """`text` with the address `new` wherever `old` stands, or any other in a place for it.

    The places are the first four of the patterns. The one group of each, where it has one, is
    what stands between the address and the branch, or the notebook that Colab opens.
    """
    copies = (
        re.escape(COLAB) + r'[^\s"()]*?(?P<notebook>book/[\w./-]+\.ipynb)',
        r"(?<=^  url: )\S+(\s+branch: )\S+",
        r'(?<=^repository-code: ")[^"]+',
        r'(?<=gdp_lite\\": \\"git\+)[^\s"\\]+(@)[^\s"\\@]+',
        # A link: to `old`, or to a repository of this name on GitHub, whoever owns it.
        rf"(?:{re.escape(old.url)}|{re.escape(GITHUB)}[\w-]+/gdp-lite)(?![\w-]|\.(?!git\b)\w)"
        rf"(?:(@|/(?:blob|tree|raw|edit)/){re.escape(old.branch)}(?![\w-]|\.\w))?",
    )

    def copy(match):
        if match["notebook"]:
            return new.colab(match["notebook"])
        between = next(filter(None, match.groups()), "")
        return new.url + between + (new.branch if between else "")

    return re.sub("|".join(copies), copy, text, flags=re.MULTILINE)


def rewrite(old, new):
    """The files in which this changes something, as {path: its new text}."""
    changes = {}
    for path in sorted(path for place in PLACES for path in ROOT.glob(place)):
        text = path.read_bytes().decode()  # bytes: line ends stay as they are
        if ".ipynb_checkpoints" not in path.parts and renewed(text, old, new) != text:
            changes[path] = renewed(text, old, new)
    return changes


class OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong without the usage text, which would bury it."""

    def error(self, message):
        raise ValueError(f"{message} (see --help)")


def main(arguments=None):
    """Run the command; returns the exit code: 1 where copies disagree, 2 for bad input."""
    parser = OneLineParser(
        description="Check that every copy of the repository's address agrees with _config.yml, "
        "or change the address there and everywhere."
    )
    parser.add_argument("url", nargs="?", help=f"the new address, such as {GITHUB}you/fork")
    parser.add_argument("--branch", help="the branch that readers get; without it, as it is")
    try:
        args = parser.parse_args(arguments)
        old = configured()
        new = checked(
            old.url if args.url is None else args.url,
            old.branch if args.branch is None else args.branch,
        )
        changes = rewrite(old, new)
    except (ValueError, OSError) as error:
        print(f"address.py: {error}", file=sys.stderr)
        return 2

    where = f"{new.url}, branch {new.branch}"
    if args.url is None and args.branch is None:
        for path in changes:
            print(f"{path.relative_to(ROOT)} disagrees with _config.yml: {where}")
        print("Give the address, and all will agree." if changes else f"All agree: {where}")
        return 1 if changes else 0
    for path, text in changes.items():
        path.write_bytes(text.encode())
        print(f"changed {path.relative_to(ROOT)}")
    print(f"{'Now' if changes else 'Nothing to change:'} {where}")
    if not new.url.startswith(GITHUB):
        print("Colab opens notebooks from GitHub only: the links to it lead to its start page.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
