"""How the package hangs together: which module may import what."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "gdp_lite"


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(path, everywhere=True):
    """(module, name) of all that a file imports from the package; else only when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
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


def checks_types(node):
    return isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"


def test_no_private_name_crosses_modules():
    for path in MODULES.values():
        for module, name in imports(path):
            assert not (name or "").startswith("_"), f"{path} imports {module}.{name}"


def test_the_package_never_imports_what_only_the_book_needs():
    for module, path in MODULES.items():
        if not module.startswith("gdp_lite.book"):
            wanted = [m for m, n in imports(path) if f"{m}.{n}".startswith("gdp_lite.book")]
            assert not wanted, f"{module} imports {wanted}"


def test_imports_go_in_one_direction():
    """No module leads back to itself, whatever a function imports when it is called left out.

    A package stands for its `__init__`, which runs before any of its modules; that it imports them
    is no circle, as long as none of them imports the package by its own name.
    """
    graph = {}
    for module, path in MODULES.items():
        found = set()
        for source, name in imports(path, everywhere=False):
            inner = f"{source}.{name}"
            found.add(inner if inner in MODULES else source)
        graph[module] = found & set(MODULES)
    done, way = set(), []

    def walk(module):
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            way.append(module)
            for other in sorted(graph[module]):
                walk(other)
            way.pop()
            done.add(module)

    for module in sorted(graph):
        walk(module)
    assert len(done) > 40, "a graph was read at all"
