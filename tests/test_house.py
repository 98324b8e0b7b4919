"""How the package hangs together: which module may import what."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gdp_lite"


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(path, everywhere=True):
    """(module, name) of all that a file imports from the package; else only when it is loaded."""
    tree = ast.parse(code_of(path))
    nodes = list(ast.walk(tree))
    if not everywhere:  # what stands in a function or under TYPE_CHECKING is imported later
        later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        late = [node for node in nodes if isinstance(node, later) or checks_types(node)]
        inside = {id(inner) for node in late for inner in ast.walk(node)}
        nodes = [node for node in nodes if id(node) not in inside]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((a.name, None) for a in node.names if a.name.startswith("gdp_lite"))
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by a relative path"
            if (node.module or "").split(".")[0] == "gdp_lite":
                yield from ((node.module, a.name) for a in node.names)


def code_of(path):
    """Of a notebook that of its cells, without commands to the shell and to Jupyter."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    lines = "\n".join("".join(cell["source"]) for cell in cells).splitlines()
    return "\n".join(re.sub(r"^(\s*)[%!]\w.*", r"\1pass", line) for line in lines)


def checks_types(node):
    return isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"


def test_no_private_name_crosses_modules():
    for path in MODULES.values():
        for module, name in imports(path):
            assert not (name or "").startswith("_"), f"{path} imports {module}.{name}"


@pytest.mark.parametrize("folder", ["book", "benchmarks"])
def test_what_chapters_and_benchmarks_import_is_there(folder):
    """They run for minutes, or by hand only: a name that has moved is told at once."""
    paths = [p for p in (PACKAGE.parent / folder).rglob("*.*") if p.suffix in (".py", ".ipynb")]
    wanted = {(m, n, path.name) for path in paths for m, n in imports(path)}
    assert len(wanted) > 50
    for module, name, path in wanted:
        home = importlib.import_module(module)
        there = name is None or hasattr(home, name) or f"{module}.{name}" in MODULES
        assert there, f"{path} imports {module}.{name}"


def test_the_package_never_imports_what_only_the_book_needs():
    for module, path in MODULES.items():
        if not module.startswith("gdp_lite.book"):
            wanted = [m for m, n in imports(path) if f"{m}.{n}".startswith("gdp_lite.book")]
            assert not wanted, f"{module} imports {wanted}"


def graph(everywhere):
    """module -> the modules that it imports.

    A package stands for its `__init__`, which runs before any of its modules; that it imports them
    is no circle, as long as none of them imports the package by its own name.
    """
    found = {}
    for module, path in MODULES.items():
        named = {(source, f"{source}.{name}") for source, name in imports(path, everywhere)}
        found[module] = {inner if inner in MODULES else source for source, inner in named}
    assert len(found) > 40, "a graph was read at all"
    return {module: others & set(MODULES) for module, others in found.items()}


def circles(graph):
    """The ways that lead back to where they began, [module, ..., module]."""
    found, done, way = [], set(), []

    def walk(module):
        if module in way:
            found.append([*way[way.index(module) :], module])
        elif module not in done:
            way.append(module)
            for other in sorted(graph[module]):
                walk(other)
            way.pop()
            done.add(module)

    for module in sorted(graph):
        walk(module)
    return found


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_imports_go_in_one_direction():
    """When modules are loaded: what a function imports when it is called comes later."""
    assert not circles(graph(everywhere=False))


def test_imports_in_functions_go_in_one_direction_too():
    assert circles(graph(everywhere=True)) == []


def trees():
    """(module, its syntax tree) of the package without the book."""
    for module, path in MODULES.items():
        if not module.startswith("gdp_lite.book"):
            yield module, ast.parse(path.read_text(encoding="utf-8"))


def own(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_no_private_attribute_is_read_from_outside():
    """Of one's own objects alone; a named tuple's methods are public, torch has no other name."""
    tuples = {"_replace", "_fields", "_asdict", "_make"}
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                private = not node.attr.startswith("__") and node.attr not in tuples
                read = ast.unparse(node)
                assert not private or own(node.value) or read.startswith("torch."), (module, read)


def test_no_degradation_writes_into_another():
    """A method sets attributes of its own object alone: Phi of others goes through `assign`."""
    seen = 0
    for module, tree in trees():
        if module.startswith("gdp_lite.degradations"):
            for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
                for node in ast.walk(kind):
                    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                        assert own(node.value), f"{module}: {ast.unparse(node)} is set"
                        seen += 1
    assert seen > 20


def test_no_class_skips_the_constructor_of_its_parent():
    seen = 0
    for module, tree in trees():
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for made in kind.body:
                if kind.bases and getattr(made, "name", "") == "__init__":
                    calls = [c.func for c in ast.walk(made) if isinstance(c, ast.Call)]
                    called = [ast.unparse(c) for c in calls if ast.unparse(c).endswith("__init__")]
                    assert called == ["super().__init__"], f"{module}.{kind.name}: {called}"
                    seen += 1
    assert seen > 20


def constants(tree):
    """(first line, last line, names) of what is named in capitals and holds a number."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        values = [v.value for v in ast.walk(node) if isinstance(v, ast.Constant)]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if names and all(n.isupper() for n in names) and numbers and len(numbers) == len(values):
            yield node.lineno - 1, node.end_lineno, names


def test_every_constant_says_what_it_is():
    """By a comment behind it, or above the group of assignments that it stands in."""
    seen = 0
    for module, path in MODULES.items():
        if module.startswith("gdp_lite.book"):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        for first, last, names in constants(ast.parse("\n".join(lines))):
            above = first
            while above and lines[above - 1].strip() and not lines[above - 1].startswith("#"):
                above -= 1
            said = any("#" in line for line in lines[first:last])
            said |= above > 0 and lines[above - 1].startswith("#")
            assert said, f"{module}: {names}"
            seen += 1
    assert seen > 100


def test_a_constant_names_benchmarks_that_exist():
    """And so does every other comment and docstring."""
    benchmarks = PACKAGE.parent / "benchmarks"
    for path in MODULES.values():
        for name in re.findall(r"benchmarks/(\w+\.py)", path.read_text(encoding="utf-8")):
            assert (benchmarks / name).exists(), f"{path} names benchmarks/{name}"
