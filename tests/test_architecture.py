"""The floors of the house: a module imports from lower floors or its own, never upward, and never in a circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

FLOORS = [
    ["bench", "bench.errors", "bench.registry", "bench.yamlfile"],
    [
        "bench.data",
        "bench.data.entries",
        "bench.data.entries.*",
        "bench.models",
        "bench.metrics",
        "bench.specs",
        "bench.specs.*",
        "bench.recipes",
        "bench.geometry",
    ],
    [
        "bench.explain",
        "bench.cell",
        "bench.cancel",
        "bench.claims",
        "bench.running",
        "bench.contest",
        "bench.entrants",
        "bench.suite",
        "bench.reference",
        "bench.expand",
        "bench.lineage",
        "bench.store",
        "bench.statistics",
        "bench.statistics.*",
        "bench.curve",
        "bench.sound",
        "bench.job",
        "bench.ceilings",
        "bench.npz",
        "bench.per_image",
        "bench.predictions",
        "bench.reuse",
        "bench.slurm",
        "bench.tables",
        "bench.tex",
        "bench.trust",
    ],
    [
        "bench.data.*",
        "bench.models.*",
        "bench.metrics.*",
        "bench.losses",
        "bench.ranks",
        "bench.checkpoint",
        "bench.tracking",
        "bench.side_by_side",
        "bench.memory",
    ],
    [
        "bench.train",
        "bench.evaluate",
        "bench.profiler",
        "bench.throughput",
        "bench.throughput.*",
        "bench.summary",
        "bench.ceilings.*",
    ],
    ["bench.plan", "bench.costs", "bench.preflight", "bench.smoke", "bench.experiment", "bench.trial", "bench.external"],
    [
        "bench.runners",
        "bench.runners.*",
        "bench.drive",
        "bench.gc",
        "bench.litter",
        "bench.mirrored",
        "bench.pull",
        "bench.waste",
        "bench.rehearsal",
        "bench.stated",
        "bench.scored",
        "bench.judge",
        "bench.leaderboard",
        "bench.names",
        "bench.conventions",
        "bench.classes",
        "bench.breakdown",
        "bench.by_curve",
        "bench.pairs",
        "bench.compare",
        "bench.comparison_text",
        "bench.noise",
        "bench.export",
        "bench.published",
        "bench.footnotes",
        "bench.layout",
        "bench.kept",
        "bench.marks",
        "bench.pieces",
        "bench.titles",
        "bench.prepared",
        "bench.stored",
        "bench.paper",
        "bench.paper.*",
    ],
    [
        "bench.frame",
        "bench.figures",
        "bench.figures.*",
        "bench.paper.drawing",
        "bench.paper.panel",
        "bench.paper.figures",
        "bench.page",
    ],
    ["bench.cli", "bench.cli.*", "bench.__main__", "dashboard", "dashboard.*"],
]
AT_HOME = {
    "mlflow": {"bench.tracking"},
    "ray": {"bench.runners.ray"},
    "typer": {"bench.cli."},
    "rich": {"bench.cli."},
    "streamlit": {"dashboard"},
    "plotly": {"bench.figures", "bench.page", "dashboard"},
    "pandas": {"bench.frame", "bench.figures", "dashboard"},
    "matplotlib": {"bench.paper.drawing", "bench.paper.panel"},
    "jinja2": {"bench.page"},
}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc", "core"}


def modules(root: Path) -> dict[str, Path]:
    found = {}
    for path in [*(root / "bench").rglob("*.py"), *(root / "dashboard").rglob("*.py")]:
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, names: dict[str, Path], *, at_import: bool = False) -> set[str]:
    """Modules a file imports; with ``at_import`` only those imported while it is itself being imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if at_import and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say the whole name of what is imported"
            module = node.module or ""
            found.update(full if (full := f"{module}.{alias.name}") in names else module for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def floor(module: str) -> int:
    matches = [
        (len(pattern), level)
        for level, patterns in enumerate(FLOORS)
        for pattern in patterns
        if module == pattern or (pattern.endswith(".*") and module.startswith(pattern[:-1]))
    ]
    assert matches, f"{module} has no floor; give it one in tests/test_architecture.py"
    return max(matches)[1]


def test_nobody_imports_upward(repository: Path) -> None:
    names = modules(repository)
    upward = [
        f"{name} imports {other}"
        for name, path in names.items()
        for other in imports(path, names)
        if other in names and floor(other) > floor(name)
    ]
    assert not upward


def test_nobody_imports_in_a_circle(repository: Path) -> None:
    names = modules(repository)
    below = {name: {other for other in imports(path, names) if other in names and other != name} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in below[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in names:
        visit(name, ())


@pytest.mark.parametrize("library", AT_HOME)
def test_a_heavy_library_is_imported_in_its_own_room_alone(repository: Path, library: str) -> None:
    names = modules(repository)
    homes = AT_HOME[library]
    strangers = [
        name
        for name, path in names.items()
        if any(other.split(".")[0] == library for other in imports(path, names))
        and not any(name == home or name.startswith(home.rstrip(".") + ".") for home in homes)
    ]
    assert not strangers


def test_rooms_have_names(repository: Path) -> None:
    assert not [path for path in repository.rglob("bench/**/*.py") if path.stem in FORBIDDEN_NAMES]


@pytest.mark.parametrize(
    "module",
    [
        "bench",
        "bench.cli.app",
        "bench.leaderboard",
        "bench.export",
        "bench.compare",
        "bench.throughput.agreement",
        "bench.throughput.configuration",
        "bench.drive",
        "bench.plan",
        "bench.data.prepare",
        "bench.ceilings",
        "bench.stored",
        "bench.cli.export",
        "bench.cli.verify",
    ],
)
def test_planning_and_ranking_import_no_torch(module: str) -> None:
    heavy = {"torch", "torchvision", "mlflow", "pandas", "plotly", "matplotlib", "streamlit"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
