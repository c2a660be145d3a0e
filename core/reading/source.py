"""The Python in what people paste: a notebook's code cells, without magics, prompts and the print of Python 2."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from dataclasses import dataclass

from core.errors import SpecError
from core.reading.record import Problem
from core.record import short, too_much

MAX_TEXT = 2_000_000  # characters of what is pasted, a notebook with its pictures
MAX_PARTS = 2_000  # statements, where some of them are no Python
MAX_CODE = 120_000  # characters of the code in it
PRINT_2 = re.compile(r"^(\s*)print\s+[^\s(=.,\[].*$")
MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)[\w.]+\?{1,2}\s*$")
PROMPT = re.compile(r"^(?:>>>|\.\.\.|In \[\d*\]:) ?")
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\ufeff": " ", "\u200b": " "})


@dataclass(frozen=True)
class Source:
    """The code, its statements, and what of it is no Python."""

    code: str
    body: tuple[ast.stmt, ...]
    problems: tuple[Problem, ...] = ()
    cells: tuple[int, ...] = ()


def read_source(text: str, name: str = "") -> Source:
    """The Python in a text. Raises SpecError, one sentence, where there is none."""
    if len(text) > MAX_TEXT:
        raise SpecError(f"the text has {len(text):,} characters, at most {MAX_TEXT:,} are read: paste the class only")
    if not text.strip():
        raise SpecError("there is no text to read")
    code = text
    cells: tuple[int, ...] = ()
    if text.lstrip().startswith("{") and ('"cells"' in text or '"worksheets"' in text):
        code, cells = _of_notebook(text)
    elif name.endswith(".ipynb"):
        raise SpecError(f"{short(name)} is not a notebook: a notebook is JSON with cells")
    if len(code) > MAX_CODE:
        raise SpecError(f"the code has {len(code):,} characters, at most {MAX_CODE:,} are read: paste the class only")
    if "\0" in code:
        raise SpecError("this is not text: it contains zero bytes")
    code = code.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    body, problems = _statements(code)
    return Source(code, body, problems, cells)


def _of_notebook(text: str) -> tuple[str, tuple[int, ...]]:
    """The code cells one after the other, and the line on which each begins."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as failure:
        raise SpecError(f"the notebook is not JSON: {too_much(failure)}"[:200]) from None
    cells = data.get("cells") if isinstance(data, dict) else None
    if cells is None and isinstance(data, dict) and isinstance(data.get("worksheets"), list) and data["worksheets"]:
        first = data["worksheets"][0]  # the form of 2013
        cells = first.get("cells") if isinstance(first, dict) else None
    if not isinstance(cells, list):
        raise SpecError("the notebook has no cells")
    parts, starts, line = [], [], 1
    for cell in cells:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        lines = "".join(each for each in source if isinstance(each, str)) if isinstance(source, list) else source
        if not isinstance(lines, str) or not lines.strip():
            continue
        if lines.startswith("%%") and not lines.startswith(("%%time", "%%capture", "%%writefile")):
            continue  # a cell of another language
        lines = lines.rstrip("\n") + "\n\n"
        parts.append(lines)
        starts.append(line)
        line += lines.count("\n")
    if not parts:
        raise SpecError("the notebook has no code cells")
    return "".join(parts), tuple(starts)


def _statements(code: str) -> tuple[tuple[ast.stmt, ...], tuple[Problem, ...]]:
    """The statements, with their lines; a part that is no Python is told of."""
    whole = _parsed(code)
    if whole is not None:
        return whole, ()
    plain = _plain(code)
    whole = _parsed(plain)
    if whole is not None:
        return whole, ()
    found: list[ast.stmt] = []
    problems: list[Problem] = []
    for start, part in _parts(plain)[:MAX_PARTS]:
        statements, problem = _of_part(part, start)
        found += statements
        problems += [problem] if problem else []
    if not found:
        raise SpecError(problems[0].message if problems else "there is no Python in this text")
    return tuple(found), tuple(problems[:20])


def _parsed(code: str) -> tuple[ast.stmt, ...] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text's own, such as an escape that Python does not know
        try:
            return tuple(ast.parse(code).body)
        except (SyntaxError, ValueError):
            return None
        except (RecursionError, MemoryError):
            raise SpecError("the code nests too deep to be read: paste the class only") from None


def _plain(code: str) -> str:
    """The code without magics, prompts and Python 2's print; each line stays on its line."""
    lines = [PROMPT.sub("", line.translate(QUOTES)) for line in code.split("\n")]
    lines = [MAGIC.sub(r"\1\2pass", line) for line in lines]
    lines = [PRINT_2.sub(r"\1pass", line) for line in lines]
    return textwrap.dedent("\n".join(lines).expandtabs(4))


def _parts(code: str) -> list[tuple[int, str]]:
    """The code cut before each line that begins at the margin, with the numbers of their first lines."""
    parts: list[tuple[int, list[str]]] = []
    decorated = False
    for number, line in enumerate(code.split("\n"), 1):
        margin = line[:1] not in ("", " ", "\t", "#", ")", "]", "}")
        if not parts or (margin and not decorated and not line.startswith(("else", "elif", "except", "finally"))):
            parts.append((number, []))
        decorated = margin and line.startswith("@")
        parts[-1][1].append(line)
    return [(number, "\n".join(lines)) for number, lines in parts]


def _of_part(part: str, start: int) -> tuple[list[ast.stmt], Problem | None]:
    """The statements of one part; where one line in it is no Python, those without that line."""
    lines, problem = part.split("\n"), None
    for _ in range(8):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse("\n".join(lines))
            return ast.increment_lineno(tree, start - 1).body, problem
        except (SyntaxError, ValueError) as failure:
            at = max(0, min((getattr(failure, "lineno", None) or 1) - 1, len(lines) - 1))
            words = failure.msg if isinstance(failure, SyntaxError) else too_much(failure)
            problem = problem or Problem(
                start + at, lines[at].strip()[:120], f"this is not Python: {words}", "correct the line, or leave it out"
            )
            if not lines[at].strip() or not part.lstrip().startswith(("class", "def", "@")):
                break
            indent = len(lines[at]) - len(lines[at].lstrip())
            lines[at] = " " * indent + ("pass" if indent else "")
        except (RecursionError, MemoryError):
            break
    return [], problem
