"""The house rules that no linter knows: floors, purity, size, and what a start may cost.

Every rule is one test that lists all who break it. The rules look at the source, without running
it; only the last one starts Python.
"""

import ast
import functools
import graphlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[2] / "daemon"

# The floors of the house, lowest first. A room is a module or a package right below tapewatch; it
# imports only from itself, from its own floor and from the floors below.
FLOORS = (
    ("tapewatch",),  # the package itself: its version
    ("errors", "log", "model"),
    ("headers",),
    ("science",),
    ("parfile",),
    ("keys",),
    ("parameters",),
    ("ledger",),
    ("planning",),
    ("fitsfile",),
    ("facts", "lists"),
    ("arrival",),
    ("whereabouts",),
    ("jobs",),
    ("commands",),
    ("forkserver",),
    ("workers",),
    ("service",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Rooms that compute and do nothing else: no file, no clock, no environment.
PURE_ROOMS = {"headers", "planning", "science"}
# The plain data that they share. `parameters` can read tape.par, but they take a Parameters.
PURE_NEIGHBOURS = PURE_ROOMS | {"errors", "model", "parameters"}
PURE_LIBRARY = {
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "statistics",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
}
PURE_EXTRAS = {"science": {"numpy", "numpy.typing"}}
IMPURE_NAMES = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
# Methods by which the allowed modules reach a file or the clock: numpy's and datetime's.
IMPURE_METHODS = {
    *("fromfile", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt", "savez", "tofile"),
    *("now", "today", "utcnow"),
}

LONGEST_MODULE = 350  # lines
LONGEST_FUNCTION = 60  # lines, with its docstring

# A program whose one frame must not stop the night catches everything in two places: where a
# job's error comes back from a worker, and where the daemon itself looks at one file.
BROAD_EXCEPT_ALLOWED = {"tapewatch.workers", "tapewatch.service.intake"}

# What the daemon loads when it starts, and what it must not: 0.3 to 1.8 s each.
START_PATH = {"cli", "jobs", "service", "workers"}
SLOW = {"astropy.nddata", "astropy.stats", "astropy.time", "matplotlib", "scipy"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its dotted name, its path below daemon/, its text and syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """Module or package right below tapewatch."""
        return room_of(self.name)

    def at(self, node: ast.expr | ast.stmt | ast.ExceptHandler) -> str:
        """Place of a node, as in ``tapewatch/cli.py:12``."""
        return f"{self.path}:{node.lineno}"


def room_of(name: str) -> str:
    """Room of a module's dotted name; ``tapewatch`` for the package itself."""
    return f"{name}.".split(".")[1] or "tapewatch"


@functools.cache
def modules() -> dict[str, Module]:
    """All modules of tapewatch, by dotted name."""
    found = {}
    for file in sorted((SOURCE_ROOT / "tapewatch").rglob("*.py")):
        path = file.relative_to(SOURCE_ROOT)
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        text = file.read_text(encoding="utf-8")
        found[name] = Module(name, path, text, ast.parse(text))
    return found


def imports(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    """All that a module imports, wherever in its text, as (statement, dotted module name)."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                yield node, submodule if submodule in modules() else source


def own_imports(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    """Those of `imports` that are modules of tapewatch."""
    return ((node, name) for node, name in imports(module) if name in modules())


def test_no_import_runs_in_a_circle() -> None:
    graph = {name: {other for _, other in own_imports(m)} for name, m in modules().items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_every_room_has_a_floor() -> None:
    assert {module.room for module in modules().values()} <= FLOOR_OF.keys()


def test_no_room_imports_from_a_higher_floor() -> None:
    assert [
        f"{module.at(node)}: {module.room} imports {name}"
        for module in modules().values()
        for node, name in own_imports(module)
        if FLOOR_OF[room_of(name)] > FLOOR_OF[module.room]
    ] == []


def test_the_commands_answer_to_the_command_line_alone() -> None:
    assert [
        f"{module.at(node)}: {module.room} imports {name}"
        for module in modules().values()
        for node, name in own_imports(module)
        if room_of(name) == "commands" and module.room not in {"commands", "cli"}
    ] == []


def may_import(room: str, name: str) -> bool:
    """Whether a pure room may import a module."""
    if name in modules():
        return room_of(name) in PURE_NEIGHBOURS
    return name in PURE_LIBRARY | PURE_EXTRAS.get(room, set())


def impure_calls(module: Module) -> Iterator[str]:
    """Places where a module calls what reaches files, the terminal or the clock."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_NAMES:
                yield f"{module.at(node)}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                yield f"{module.at(node)}: .{name}()"


def test_pure_rooms_import_nothing_that_does_io() -> None:
    assert [
        f"{module.at(node)}: {name}"
        for module in modules().values()
        if module.room in PURE_ROOMS
        for node, name in imports(module)
        if not may_import(module.room, name)
    ] == []


def test_pure_rooms_touch_no_file_and_no_clock() -> None:
    pure = (module for module in modules().values() if module.room in PURE_ROOMS)
    assert list(itertools.chain.from_iterable(map(impure_calls, pure))) == []


def test_modules_fit_on_a_few_screens() -> None:
    lengths = {name: len(module.text.splitlines()) for name, module in modules().items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_functions_fit_on_a_screen() -> None:
    lengths = {
        f"{module.at(node)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def broad(expression: ast.expr | None) -> bool:
    """Whether what an ``except`` names, or names not, catches every error."""
    match expression:
        case None | ast.Name(id="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=elements):
            return any(map(broad, elements))
    return False


def catches_all(node: ast.AST) -> bool:
    """Whether a node swallows every error; to clean up and raise again is no swallowing."""
    match node:
        case ast.ExceptHandler(type=errors, body=[*_, last]):
            return broad(errors) and not (isinstance(last, ast.Raise) and last.exc is None)
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=errors):
            return any(map(broad, errors))
    return False


def test_errors_are_caught_by_name() -> None:
    assert [
        f"{module.path}:{getattr(node, 'lineno', 0)}"
        for module in modules().values()
        if module.name not in BROAD_EXCEPT_ALLOWED
        for node in ast.walk(module.tree)
        if catches_all(node)
    ] == []


def test_the_start_path_loads_no_slow_package() -> None:
    start_path = [name for name, module in modules().items() if module.room in START_PATH]
    assert "tapewatch.cli" in start_path
    code = f"import sys, {', '.join(start_path)}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert SLOW & set(answer.stdout.split()) == set()


def test_the_daemon_itself_loads_no_numpy() -> None:
    code = (
        "import sys, tapewatch.service.loop, tapewatch.cli as cli\n"
        "cli._parser(simulating=False)\n"
        "print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert {"numpy", "astropy"} & set(answer.stdout.split()) == set()
