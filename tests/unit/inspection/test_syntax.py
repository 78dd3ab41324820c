"""Walking a syntax tree: as ast.walk does, without what only says how another node is used."""

import ast
import asyncio
import dataclasses
import inspect
import typing

import pytest

from pinfold.inspection import opaque_flow
from pinfold.inspection.syntax import children, walk

EVERYTHING = """
import a.b as c, d
from . import e as f
@g
async def h(i, /, j: k = 1, *l, m=2, **n) -> o:
    global p
    async with q as r, s: yield await t
    async for u in v: pass
    return [w async for w in x if y if z]
class A(B, metaclass=C):
    a: int = 1
    b = c = lambda d, *e: (yield)
try:
    del a[1:2, ...], b.c
except* (D, E) as e:
    raise F from G
else:
    assert a < b <= c != (d := -e), f"{f!r:>{g}} {h}"
finally:
    a |= b ** c @ ~d
match a:
    case {"b": 1, **c} | [D(e, f=None), *_] if g: nonlocal_ = {**h, i: {j}, **{k: l for k in m}}
    case -1 | "x" as n: print(*o, **p)
while a and not b or c:
    if d: break
    elif e: continue
x = (yield_ if a else b"") is not None
"""


def nodes_by_ast(tree: ast.AST) -> list[ast.AST]:
    return [
        node
        for node in ast.walk(tree)
        if not isinstance(node, ast.expr_context | ast.operator | ast.unaryop | ast.boolop | ast.cmpop)
    ]


@pytest.mark.parametrize(
    "source",
    [
        EVERYTHING,
        "",
        "x",
        *(inspect.getsource(module) for module in (ast, dataclasses, typing, asyncio.tasks, opaque_flow)),
    ],
)
def test_every_node_is_met_in_the_order_of_ast_walk(source: str) -> None:
    tree = ast.parse(source)
    assert walk(tree) == nodes_by_ast(tree)
    for node in walk(tree):
        assert children(node) == [child for child in nodes_by_ast(node)[1:] if child in ast.iter_child_nodes(node)]
