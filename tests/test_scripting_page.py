"""The page on scripts, run from top to bottom."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "scripting.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
GIVES = "# → "

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not part of the sdist")


def blocks() -> list[str]:
    return BLOCK.findall(PAGE.read_text("utf-8"))


def expectations(block: str) -> dict[int, str]:
    """Return what statements are said to give, by the line in which each ends."""
    told = {}
    for number, line in enumerate(block.splitlines(), 1):
        code, arrow, value = line.partition(GIVES)
        if arrow:
            told[number if code.strip() else number - 1] = value.strip()
    return told


def statements(block: str) -> Iterator[ast.stmt]:
    """Yield the statements in order, those under ``if __name__ ...`` among them."""
    for statement in ast.parse(block).body:
        if isinstance(statement, ast.If):
            yield from statement.body
        else:
            yield statement


def outcome(statement: ast.stmt, names: dict[str, Any], printed: Any) -> str:
    """Carry out a statement; return what it gives as a person would see it."""
    if isinstance(statement, ast.Expr):
        code = compile(ast.Expression(statement.value), str(PAGE), "eval")
        value = eval(code, names)
        return repr(value)
    exec(compile(ast.Module([statement], []), str(PAGE), "exec"), names)
    return printed().strip()


def test_every_line_gives_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    n_checked = 0
    for block in blocks():
        told = expectations(block)
        for statement in statements(block):
            found = outcome(statement, names, lambda: capsys.readouterr().out)
            wanted = told.pop(statement.end_lineno or 0, None)
            if wanted is not None:
                assert found == wanted, ast.unparse(statement)
                n_checked += 1
        assert not told, f"nothing ends before {told}"
    assert n_checked >= 15
    assert len(blocks()) >= 12


def test_no_line_is_too_long_to_read() -> None:
    assert not [line for block in blocks() for line in block.splitlines() if len(line) > 120]
