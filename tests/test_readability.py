"""Measures of how dense the code of tinyprune is, with the limits that it keeps.

Decisions are if, ternary, loop, except, with, assert, each comprehension and each of its conditions,
and each further operand of and/or. The complexity of a function is one more than its decisions, those
of functions inside it included: ruff's C901 does not count comprehensions, hence this test.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tinyprune"
MOST_COMPLEXITY = 10
MOST_DECISIONS = 28  # per 100 lines of function bodies
MOST_COMPREHENSIONS = 25  # per 1000 lines
MOST_COLUMNS = 100
OPENERS = ("What ", "Which ", "Whether ", "How ", "Where ", "Who ", "Why ")

SINGLE = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.With, ast.Assert)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """A file with its syntax tree."""

    path: Path
    lines: list[str]
    tree: ast.Module

    def places(self, *nodes: ast.AST) -> list[str]:
        """Return file and line of nodes, for messages."""
        return [f"{self.path.relative_to(PACKAGE.parent)}:{node.lineno}" for node in nodes]


@cache
def modules() -> list[Module]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, text.splitlines(), ast.parse(text)))
    return found


def decisions(node: ast.AST) -> int:
    count = 0
    for part in ast.walk(node):
        if isinstance(part, SINGLE):
            count += 1
        elif isinstance(part, ast.comprehension):
            count += 1 + len(part.ifs)
        elif isinstance(part, ast.BoolOp):
            count += len(part.values) - 1
    return count


def body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return function.body if ast.get_docstring(function) is None else function.body[1:]


def functions(module: Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int, int]]:
    """Every function that has a body, its decisions and the lines of its body."""
    for node in ast.walk(module.tree):
        if isinstance(node, FUNCTIONS) and body(node):
            statements = body(node)
            length = statements[-1].end_lineno - statements[0].lineno + 1
            yield node, sum(map(decisions, statements)), length


def is_nested_ternary(node: ast.AST) -> bool:
    if not isinstance(node, ast.IfExp):
        return False
    return isinstance(node.body, ast.IfExp) or isinstance(node.orelse, ast.IfExp)


def is_starred_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Starred) and isinstance(node.value, ast.Tuple | ast.List)


def opens_with_a_question(node: ast.AST) -> bool:
    if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return False
    return (ast.get_docstring(node) or "").startswith(OPENERS)


def test_no_function_is_complex():
    complex_functions = []
    for module in modules():
        for function, count, _ in functions(module):
            if count + 1 > MOST_COMPLEXITY:
                complex_functions += module.places(function)
    assert not complex_functions


@pytest.mark.parametrize("is_bad", [is_nested_ternary, is_starred_literal, opens_with_a_question])
def test_no_such_thing_is_written(is_bad):
    places = []
    for module in modules():
        places += module.places(*filter(is_bad, ast.walk(module.tree)))
    assert not places


def test_no_line_is_long():
    long = []
    for module in modules():
        for number, line in enumerate(module.lines, 1):
            if len(line) > MOST_COLUMNS:
                long.append(f"{module.path.relative_to(PACKAGE.parent)}:{number}")
    assert not long


def test_decisions_are_far_apart():
    total, length = 0, 0
    for module in modules():
        for _, count, lines in functions(module):
            total += count
            length += lines
    assert 100 * total / length <= MOST_DECISIONS


def test_comprehensions_are_rare():
    count, length = 0, 0
    for module in modules():
        length += len(module.lines)
        count += sum(isinstance(node, COMPREHENSIONS) for node in ast.walk(module.tree))
    assert 1000 * count / length <= MOST_COMPREHENSIONS


def test_the_measures_see_what_they_are_for():
    code = "def f(x):\n    'Doc.'\n    return [y for y in x if y and y > 1] if x else (1 if x else 2)\n"
    tree = ast.parse(code)
    [function] = tree.body
    assert decisions(body(function)[0]) == 2 + 2 + 1  # ternaries, comprehension, and
    assert sum(map(is_nested_ternary, ast.walk(tree))) == 1
    assert any(map(is_starred_literal, ast.walk(ast.parse("f(*[1, 2])"))))
    assert not opens_with_a_question(function)
    assert opens_with_a_question(ast.parse("class A:\n    'How it works.'\n").body[0])
