"""Do the chapters' checks have teeth? Change one thing in a chapter's code: does a cell fail?

    python tests/mutate.py [CHAPTER ...] [--sample 20] [--seed 0]

One operator, constant, index, sign, truth value or function name is changed at a time, and the
rest of the chapter is run. A change that no cell notices has survived: it is listed, and the exit
code is 1, unless tests/mutants.csv names it with the reason why it may. Exercises, plotting,
printing, seeds and the checks themselves are left alone.

The chapter runs once; before each cell that is to be changed, the process forks, so that nothing
before the change is computed twice. What was found lies in _build/mutants.jsonl: a change that was
noticed is not tried again while its cell and the cell that noticed it are the same, one that
survived while the whole chapter is. Not a part of plain `pytest`: minutes a chapter.
"""

import argparse
import ast
import contextlib
import csv
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BOOK, FOUND, NAMED = (
    ROOT / "book",
    ROOT / "_build" / "mutants.jsonl",
    ROOT / "tests" / "mutants.csv",
)

OPERATORS = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.FloorDiv: ast.Div},
    **{ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And},
}
PAIRS = (
    *(("sum", "mean"), ("min", "max"), ("argmin", "argmax"), ("sin", "cos"), ("zeros", "ones")),
    *(("zeros_like", "ones_like"), ("cumsum", "cumprod"), ("sqrt", "square"), ("exp", "expm1")),
    *(("floor", "ceil"), ("amin", "amax"), ("std", "var"), ("rand", "randn")),
    *(("A", "A_adjoint"), ("posterior_std", "posterior_var"), ("to_display", "to_model")),
    *(("posterior_mean", "posterior_mean_from_eps"), ("log", "log1p"), ("abs", "neg")),
)
FUNCTIONS = {**{b: a for a, b in PAIRS}, **dict(PAIRS)}
SEEDS = {"seeded", "manual_seed", "default_rng", "seed"}
DRAWING = ("plt", "axis", "axes", "figure", "show", "slider", "before_after", "stepper", "display")


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [c for c in cells if c["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def is_left_alone(statement):
    """Checks, imports, and what only draws or prints."""
    if isinstance(statement, (ast.Assert, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, ast.Expr):
        if isinstance(statement.value, ast.Constant):
            return True
        call = statement.value.func if isinstance(statement.value, ast.Call) else None
        if isinstance(call, ast.Name) and call.id in ("print", "check_answer"):
            return True
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    small = not isinstance(statement, (ast.For, ast.With, ast.FunctionDef, ast.If))
    return small and bool(names & set(DRAWING))


def sites(tree):
    """(node, field, replacement, description) of every change that can be made, in order."""

    def visit(node, is_index=False):
        if isinstance(node, ast.stmt) and is_left_alone(node):
            return
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in SEEDS or name == "print":
                return
            if name in FUNCTIONS:
                field = "id" if isinstance(node.func, ast.Name) else "attr"
                yield node.func, field, FUNCTIONS[name], f"{name} -> {FUNCTIONS[name]}"
        if isinstance(node, ast.JoinedStr):
            return
        if isinstance(node, ast.keyword) and node.arg in ("dtype", "generator", "figsize", "alpha"):
            return
        if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in OPERATORS:
            new = OPERATORS[type(node.op)]
            yield node, "op", new(), f"{type(node.op).__name__} -> {new.__name__}"
        if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
            new = OPERATORS[type(node.ops[0])]
            changed = [new(), *node.ops[1:]]
            yield node, "ops", changed, f"{type(node.ops[0]).__name__} -> {new.__name__}"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node, "op", ast.UAdd(), "minus -> plus"
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, bool):
                yield node, "value", not value, f"{value} -> {not value}"
            elif isinstance(value, (int, float)):
                # Small enough to look right, large enough to matter.
                new = value + 1 if isinstance(value, int) else (1.3 * value or 1.0)
                kind = "index" if is_index else "constant"
                yield node, "value", new, f"{kind} {value} -> {new:g}"
        inside = is_index and isinstance(node, (ast.Tuple, ast.Slice, ast.UnaryOp))
        for field, child in ast.iter_fields(node):
            index = inside or (isinstance(node, ast.Subscript) and field == "slice")
            for item in child if isinstance(child, list) else [child]:
                if isinstance(item, ast.AST):
                    yield from visit(item, index)

    yield from visit(tree)


def candidates(cells):
    """All changes of a chapter as (cell number, site number, line, description)."""
    for number, cell in enumerate(cells):
        if cell["id"].startswith(("setup", "exercise", "solution", "fig-")):
            continue
        lines = source(cell).splitlines()
        for k, (node, _, _, what) in enumerate(sites(ast.parse(source(cell)))):
            yield number, k, lines[getattr(node, "lineno", 1) - 1].strip(), what


def mutated(text, k):
    tree = ast.parse(text)
    node, field, new, _ = list(sites(tree))[k]
    setattr(node, field, new)
    return ast.fix_missing_locations(tree)


def run(cell, names, code=None):
    """Run a cell; where nbval compares its text, so do we."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code or source(cell), cell["id"], "exec"), names)
    if "nbval-check-output" in cell["metadata"].get("tags", []):
        stored = "".join(
            "".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream"
        )
        if stored:
            assert out.getvalue() == stored, "the text differs"


def fate(cells, number, k, names, limit):
    """Run the changed cell and all after it in a fork: the id of the cell that fails, or ''.

    limit: seconds of the processor, which a busy machine does not use up, as it would the clock's.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        killer = ""
        try:
            for i, cell in enumerate(cells[number:], number):
                killer = cell["id"]
                run(cell, names, mutated(source(cell), k) if i == number else None)
            killer = ""
        except BaseException:
            pass
        os.write(writer, killer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGXCPU:
            raise RuntimeError(f"ended by signal {os.WTERMSIG(status)}: nothing is known")
        return "endless"
    return text


@contextlib.contextmanager
def unchanged(folder):
    """Leave a folder as it was: a fork has a memory of its own, but writes to the same files."""
    kept = shutil.copytree(folder, folder.with_name("kept"))
    yield
    shutil.rmtree(folder)
    kept.rename(folder)


def named():
    if not NAMED.exists():
        return {}
    with NAMED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(r["chapter"], r["cell"], r["line"], r["change"]): r["reason"] for r in rows}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def chosen(cells, sample, seed):
    """The sample: the smallest hashes, so that another cell's edit does not draw it anew."""
    found = list(candidates(cells))
    order = sorted(found, key=lambda f: digest(f"{seed}|{cells[f[0]]['id']}|{f[1]}|{f[2]}|{f[3]}"))
    return sorted(order[:sample])


def try_chapter(path, sample, seed, limit, scratch):
    """(cell id, line, change, id of the cell that noticed or '') for a sample of changes.

    scratch: the folder in which the chapter makes its temporary files.
    """
    cells = code_cells(path)
    texts = {c["id"]: digest(source(c)) for c in cells} | {"endless": ""}
    whole = digest("".join(texts.values()))
    known, results = remembered(), []
    names = {"__name__": "__main__", "display": lambda *a, **k: None}
    todo = {}
    for number, k, line, what in chosen(cells, sample, seed):
        name = cells[number]["id"]
        key = f"{path.stem}|{name}|{texts[name]}|{k}|{what}"
        killer, then = known.get(key, ("", ""))
        if then == (texts.get(killer, "gone") if killer else whole):
            results.append((name, line, what, killer))
        else:
            todo.setdefault(number, []).append((key, k, line, what))
    for number, cell in enumerate(cells[: max(todo, default=-1) + 1]):
        for key, k, line, what in todo.get(number, []):
            with unchanged(scratch):
                killer = fate(cells, number, k, names, limit)
            with FOUND.open("a") as file:
                then = texts[killer] if killer else whole
                file.write(json.dumps({"key": key, "killer": killer, "then": then}) + "\n")
            print(f"  {cell['id']}: {what}: {killer or 'SURVIVED'} | {line[:80]}", flush=True)
            results.append((cell["id"], line, what, killer))
        run(cell, names)  # raises where the chapter itself fails: nothing to be learned then
    return results


def remembered():
    """key -> (cell that noticed, hash then) of earlier runs; the last one counts."""
    rows = map(json.loads, FOUND.read_text().splitlines() if FOUND.exists() else [])
    return {row["key"]: (row["killer"], row["then"]) for row in rows}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="names without .ipynb (default: all)")
    parser.add_argument("--sample", type=int, default=20, help="changes a chapter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=300, help="seconds of the processor a change")
    options = parser.parse_args(arguments)
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1", MPLBACKEND="Agg")
    FOUND.parent.mkdir(exist_ok=True)
    os.chdir(BOOK)
    excused, survivors, total = named(), [], 0
    chapters = options.chapters or sorted(p.stem for p in BOOK.glob("*.ipynb"))
    for chapter in chapters:
        print(chapter, flush=True)
        with tempfile.TemporaryDirectory() as place:
            scratch = Path(place, "scratch")
            scratch.mkdir()
            tempfile.tempdir = str(scratch)
            path = BOOK / f"{chapter}.ipynb"
            found = try_chapter(path, options.sample, options.seed, options.limit, scratch)
            tempfile.tempdir = None
        total += len(found)
        left = [(chapter, *row[:3]) for row in found if not row[3]]
        survivors += left
    unnamed = [row for row in survivors if row not in excused]
    print(f"{total} changes, {len(survivors)} survived, {len(unnamed)} of them without a reason")
    for row in unnamed:
        print("   ", " | ".join(row))
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
