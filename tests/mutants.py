"""Change the code in one place at a time, and see whether a test notices: `python -m tests.mutants [MODULE ...]`.

cosmic-ray makes the mutants, in a copy of the repository. Each runs with the tests that import its module, up to the
first failure. No mutants: texts, types, decorators. Needs `pip install -r requirements-mutation.txt`, and a
system that forks: torch is imported once, and each mutant begins from there.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import importlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
AREAS = ("core", "lab/runs")  # what is mutated where no module is named
WORDS = {  # of the ladder: data and texts, which other tests hold against the write-ups
    f"core/ladder/{name}.py"
    for name in ("common", "comparisons", "evolution", "four_steps", "ours", "relatives", "six_models")
}
FEWEST = 3  # test files for a mutant, where there are so many
LONGEST = 600.0  # seconds for one file of tests; a mutant that takes longer hangs, which is noticed
# One near replacement for each operator: the far ones (+ to <<) mostly raise at once, and would flatter the figure.
KEPT = re.compile(
    r"core/(ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul|BitOr_BitAnd"
    r"|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)|AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr"
    r"|ReplaceOrWithAnd|ReplaceBreakWithContinue|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer"
    r"|ZeroIterationForLoop)"
)
HEAVY = ("torch", "scipy.stats", "pandas", "plotly.graph_objects", "streamlit.testing.v1", "hypothesis")

Position = tuple[int, int]  # line from 1, column from 0
Mutant = tuple[Path, Position, str, int]  # file, place, operator, and which of its places in the file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sample and print each mutant's end; 0 if nine tenths are killed, 2 if the tests fail without a mutant."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", type=Path, help="such as core/architecture/trace.py; else core, lab/runs")
    parser.add_argument("--sample", type=int, default=150, help="how many mutants to draw (default 150; 0: all)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--fast", action="store_true", help="with the fast tests only: no pages, nothing slow")
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests without a mutant first")
    asked = parser.parse_args(arguments)
    if (ROOT / ".git").exists():
        with tempfile.TemporaryDirectory(prefix="mutants-") as copy:
            _copy_repository(Path(copy))
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            again = [sys.executable, "-m", "tests.mutants", *(sys.argv[1:] if arguments is None else arguments)]
            return subprocess.run(again, cwd=copy, env=environment).returncode
    for area in ("core", "lab"):  # by hash: two versions of a mutant's file can be of the same second and size
        compileall.compile_dir(area, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    for name in HEAVY:
        importlib.import_module(name)
    modules = [path for path in asked.modules or _modules() if path.as_posix() not in WORDS]
    near = _nearest_tests(modules)
    files = sorted({file for each in near.values() for file in each})
    if not asked.unchecked and (noticed := _failure("fast" if asked.fast else "", files, 3600)):
        print(f"without a mutant the tests fail: {noticed}")
        return 2
    mutants = sorted(mutant for module in modules for mutant in _mutants(module))
    random.Random(asked.seed).shuffle(mutants)
    return _run(mutants, near, asked.sample, ("fast",) if asked.fast else ("fast", "not fast"))


def _copy_repository(folder: Path) -> None:
    """What is, or will be, in the repository: a mutant never stands in a file that somebody edits."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


def _modules() -> list[Path]:
    return sorted(path for area in AREAS for path in Path(area).rglob("*.py"))


# --------------------------------------------------------------------------------------------------------- the mutants


def _mutants(module: Path) -> Iterator[Mutant]:
    """All places that an operator can change."""
    nodes = list(ast_nodes(get_ast_from_path(module)))
    for name in filter(KEPT.fullmatch, operator_names()):
        operator = _operator(name)
        places = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        yield from ((module, place, name, occurrence) for occurrence, place in enumerate(places))


def _operator(name: str) -> Operator:
    made: Operator = get_operator(name)()
    return made


def _counts(mutant: Mutant) -> bool:
    """Whether it compiles, is another program, and changes no type, which nothing evaluates."""
    module, place, name, occurrence = mutant
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    if any(start <= place < end for start, end in _annotations(tree)):
        return False
    try:
        return ast.dump(ast.parse(mutate_code(source, _operator(name), occurrence))) != ast.dump(tree)
    except SyntaxError:
        return False


def _annotations(tree: ast.AST) -> Iterator[tuple[Position, Position]]:
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if isinstance(found := getattr(node, name, None), ast.expr):
                yield (found.lineno, found.col_offset), (found.end_lineno or 0, found.end_col_offset or 0)


# ---------------------------------------------------------------------------------------------------------- their tests


def _run(mutants: list[Mutant], near: dict[Path, list[str]], sample: int, markers: Sequence[str]) -> int:
    counts: Counter[str] = Counter()
    for mutant in filter(_counts, mutants):
        if sample and counts.total() == sample:
            break
        module, place, name, occurrence = mutant
        with use_mutation(module, _operator(name), occurrence) as (before, after):
            tests = ((marker, [file]) for marker in markers for file in near[module])
            noticed = next(filter(None, (_failure(*each) for each in tests)), "")
        outcome = "killed" if noticed else "survived"
        counts[outcome] += 1
        told = f"by {noticed}" if noticed else f"\n{_change(before, after)}"
        print(f"{counts.total():4d} {outcome} {module}:{place[0]} {name.removeprefix('core/')} {told}", flush=True)
    print(f"{counts['killed']} of {counts.total()} killed")
    return 0 if counts["killed"] >= 0.9 * counts.total() else 1


def _change(before: str, after: str) -> str:
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return "\n".join(f"     - {old.strip()}\n     + {new.strip()}" for old, new in pairs if old != new)


def _failure(marker: str, files: list[str], seconds: float = LONGEST) -> str:
    """The first test of a marker that fails, in a process of its own; "" if none does."""
    if not files:
        return ""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        child = os.fork()
        if not child:
            os.setsid()  # a group of its own, to be ended with what it starts
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            os._exit(int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", marker, *files])))
        status = _waited(child, seconds)
        output.seek(0)
        said = output.read()
    if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    if status is None:
        return f"hanging for {seconds:.0f} s"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return failed[1] if failed else (said.strip().splitlines() or [f"exit status {status}"])[-1]


def _waited(child: int, seconds: float) -> int | None:
    """The child's exit status; None where it had to be ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


# ------------------------------------------------------------------------------------------------- which tests are near


def _nearest_tests(modules: Sequence[Path]) -> dict[Path, list[str]]:
    """The test files that import a module; if they are fewer than `FEWEST`, also those that import what imports it.

    Those of the module's own name come first, then the short ones: most mutants are noticed there.
    """
    imports = {_dotted(path): _imported(path) for area in ("core", "lab", "tests") for path in Path(area).rglob("*.py")}
    found: dict[Path, list[str]] = {}
    for module in modules:
        files = found[module] = []
        seen = near = {_dotted(module)}
        while near and len(files) < FEWEST:
            near = {name for name, imported in imports.items() if imported & near} - seen
            paths = [Path(f"{name.replace('.', '/')}.py") for name in near if name.startswith("tests.test_")]
            own = {f"test_{name}" for name in (*module.parts, module.stem)}
            files += map(str, sorted(paths, key=lambda path: (path.stem not in own, path.stat().st_size)))
            seen = seen | near
    return found


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path) -> set[str]:
    """All names that a file imports and that could be modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


if __name__ == "__main__":
    raise SystemExit(main())
