"""Whatever a text says, reading it ends soon, in networks or in one sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SpecError
from core.reading.code import read_code
from core.reading.record import CodeRead

pytestmark = pytest.mark.own_data

CASES = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "code_cases").iterdir())]
SECONDS = 2.0  # of processor time
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {init}
        self.conv = nn.Conv2d(1, 4, 3)
    def forward(self, x):
        {forward}
        return self.conv(x).mean([2, 3])
"""
BOMBS = {
    "a number": NET.format(init="a = 9 ** 9 ** 9 ** 9", forward=""),
    "squares": NET.format(init="a = 3\n        for i in range(99): a = a * a", forward=""),
    "shift": NET.format(init="a = 1 << 10 ** 10", forward=""),
    "a list": NET.format(init="a = [0] * 10 ** 12", forward=""),
    "lists": NET.format(init="a = [0]\n        while True: a = a + a", forward=""),
    "lists in lists": NET.format(
        init="a = b = []\n        for i in range(60): a = [a, a]; b = [b, b]\n        c = a == b or a in [b]",
        forward="",
    ),
    "tuples as keys": NET.format(init="a = ()\n        for i in range(60): a = (a, a)\n        d = {a: 1}", forward=""),
    "text": NET.format(init="a = 'x' * 10 ** 10", forward=""),
    "width": NET.format(init="a = f'{1:1000000000d}' + '%1000000000d' % 1 + '{:9999999999}'.format(1)", forward=""),
    "forever": NET.format(init="while True: pass", forward=""),
    "forever in forward": NET.format(init="", forward="while True: x = F.relu(x)"),
    "loops in loops": NET.format(init="r = range(9000)\n        z = [0 for a in r for b in r for c in r]", forward=""),
    "recursion": NET.format(init="f = lambda n: f(n + 1)\n        f(0)", forward="x = self.forward(x)"),
    "itself": NET.format(init="Net()", forward=""),
    "module in itself": NET.format(init="self.me = self\n        self.add_module('a', self)", forward="x = self.me(x)"),
    "copies": NET.format(
        init="import copy\n        m = nn.ReLU()\n        for i in range(50): m = nn.Sequential(m, copy.deepcopy(m))",
        forward="x = m(x)",
    ),
    "shared twice": NET.format(
        init="m = nn.ReLU()\n        for i in range(60): m = nn.Sequential(m, m)\n        self.m = m",
        forward="x = self.m(x)",
    ),
    "skips": NET.format(init="", forward="for i in range(3000): x = x + F.relu(x)"),
    "shared in loops": NET.format(
        init="self.c = nn.Conv2d(1, 1, 1)",
        forward="for i in range(40):\n            for j in range(i): x = self.c(x)\n            x = F.relu(x)",
    ),
    "dense": NET.format(init="", forward="for i in range(300): x = torch.cat([x, x], 1)"),
    "wide": NET.format(init="self.c = nn.Conv2d(1, 10 ** 30, 3)", forward="x = self.c(x)"),
    "executes": NET.format(init="__import__('os').system('touch was-run'); exec('1'); eval('1')", forward=""),
    "parentheses": "x = " + "(" * 5_000 + ")" * 5_000,
    "a long sum": "x = " + "+".join(["1"] * 60_000),
    "attributes": "x = a" + ".b" * 60_000,
    "indents": "\n".join(" " * n + "if x:" for n in range(200)),
    "not Python": "class Net(nn.Module):\n" + "    )(\n" * 10_000,
    "many parts": "class (\n" * 20_000,
    "many classes": "\n".join(NET.format(init="", forward="").replace("Net", f"Net{n}") for n in range(500)),
    "magics": "%a\n" * 30_000,
    "zeros": "class Net(nn.Module):\0",
    "a notebook in depth": '{"cells": ' + "[" * 100_000,
    "a notebook without cells": json.dumps({"cells": 3}),
    "a notebook of junk": json.dumps({"cells": [{"cell_type": "code", "source": [1, None]}, 5, None]}),
    "too large": "x = 1\n" * 400_000,
    "large": "x = 1\n" * 19_000,
    "base of itself": "class A(A): pass\nclass Net(A):\n    def forward(self, x): return x",
}


def read(text: str, name: str = "") -> CodeRead | str:
    """What was read, or the sentence; asserts that it ends soon."""
    before = time.thread_time()
    try:
        found: CodeRead | str = read_code(text, name)
    except SpecError as failure:
        found = str(failure)
    assert time.thread_time() - before < SECONDS
    return found


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_text_ends_in_one_sentence_or_in_networks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read(BOMBS[name])
    words = [found] if isinstance(found, str) else [each.message for one in found.networks for each in one.problems]
    for sentence in words:
        assert sentence
        assert "\n" not in sentence
        assert len(sentence) < 400
    assert list(tmp_path.iterdir()) == []  # nothing was run


@settings(max_examples=80)
@given(st.data())
def test_no_change_of_code_breaks_the_reader(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(CASES))
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["drop", "twice", "swap", "character", "number", "word"]))
        if kind == "drop":
            lines[at] = ""
        elif kind == "twice":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "character" and lines[at]:
            place = data.draw(st.integers(0, len(lines[at]) - 1))
            lines[at] = lines[at][:place] + data.draw(st.characters()) + lines[at][place + 1 :]
        elif kind == "number":
            lines[at] = lines[at].replace("1", data.draw(st.sampled_from(["0", "-1", "9999999", "1.5", "'a'", "None"])))
        else:
            new = data.draw(st.sampled_from(["self", "x", "nn", "range(9)", "[x, x]", "lambda y: y", "Net"]))
            lines[at] = lines[at].replace("x", new)
    read("\n".join(lines))
