"""The way of decoded bytes through a syntax tree to where they are executed."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pinfold.inspection.calls import NAMING, Names
from pinfold.inspection.syntax import children, walk

_DECODER_IN_TEXT = re.compile(r"b(?:64|32|16|85)decode|unhexlify|fromhex|decompress\(|marshal")
_OPAQUE_TEXT = re.compile(r"[A-Za-z0-9+/=_\-\s\\]+")
_LARGE = 1000

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Flow:
    """A place where a module executes what it, or something in it, decodes."""

    line: int
    text: str
    identity: str


def find_opaque_flow(tree: ast.Module) -> list[Flow]:
    """Return where decoded bytes are executed; where none are seen to be, opaque literals in a module that could.

    A name that is given a decoded value in a function stands for it in that function, others do in the whole module.
    Every step takes time in proportion to the size of the tree.
    """
    nodes = walk(tree)
    calls = _Calls.of(nodes)
    # Most modules that only mention something that executes need not be looked into any further.
    if not calls.executors:
        return []
    module = _Module(nodes, calls)
    flows = [
        Flow(call.lineno, f"{name} executes what is decoded on the spot", f"flow:{name}")
        for call, name in calls.executors
        if module.is_decoded(call)
    ]
    if not flows:
        name = calls.executors[0][1]
        flows = [
            Flow(literal.node.lineno, f"{len(literal.value)} opaque characters are decoded beside {name}", "literal")
            for literal in module.decoded_literals()
        ]
    return sorted(flows, key=lambda flow: flow.line)


@dataclass(frozen=True, slots=True)
class _Literal:
    node: ast.Constant
    value: str | bytes


@dataclass(frozen=True, slots=True)
class _Given:
    """A name that has been given a value, and the outermost function in which it has; None for the whole module."""

    name: str
    scope: _Function | None


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls in a module that matter."""

    decoders: set[ast.AST]
    executors: list[tuple[ast.Call, str]]
    """Each with the name of what it executes its arguments with."""

    @classmethod
    def of(cls, nodes: list[ast.AST]) -> Self:
        """Return the calls among the nodes of a module."""
        names, calls = Names(), []
        for node in nodes:
            if isinstance(node, ast.Call):
                calls.append(node)
            elif isinstance(node, NAMING):
                names.add(node)
        executors = [(call, name) for call in calls if (name := names.executes(call)) is not None]
        return cls({call for call in calls if names.decodes(call)}, executors)


class _Module:
    """A syntax tree in which everything is marked that a decoded value reaches."""

    def __init__(self, nodes: list[ast.AST], calls: _Calls) -> None:
        """Take in the nodes of a tree, parents before their children."""
        self._decoders = calls.decoders
        self._parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, _Function | None] = {nodes[0]: None}
        self._uses: dict[_Given, list[ast.AST]] = defaultdict(list)
        self._globals: set[str] = set()
        self._literals: list[_Literal] = []
        self._marked: set[ast.AST] = set()
        for node in nodes:
            self._place_children(node)
            self._collect(node)
        self._spread()

    def is_decoded(self, call: ast.Call) -> bool:
        """Tell whether a decoded value is among a call's arguments."""
        return any(argument in self._marked for argument in (*call.args, *(keyword.value for keyword in call.keywords)))

    def decoded_literals(self) -> Iterator[_Literal]:
        """Yield the large opaque literals that are handed to something that decodes."""
        decoded = {given for given, uses in self._uses.items() if any(map(self._feeds_decoder, uses))}
        for literal in self._literals:
            if _is_opaque(literal.value) and (
                self._feeds_decoder(literal.node) or not decoded.isdisjoint(self._climb(literal.node, set()))
            ):
                yield literal

    def _place_children(self, node: ast.AST) -> None:
        scope = self._scopes[node] or (node if isinstance(node, _Function) else None)
        for child in children(node):
            self._parents[child] = node
            self._scopes[child] = scope

    def _collect(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                for scope in {None, self._scopes[node]}:
                    self._uses[_Given(name, scope)].append(node)
            case ast.Global(names=names):
                self._globals.update(names)
            case ast.Constant(value=str() | bytes() as value):
                self._literals.append(_Literal(node, value))

    def _spread(self) -> None:
        """Mark all that contains a decoder, and go on from the names that it is given to."""
        waiting = [*self._decoders, *(text.node for text in self._literals if _names_decoder(text.value))]
        seen: set[_Given] = set()
        while waiting:
            for given in self._climb(waiting.pop(), self._marked):
                if given not in seen:
                    seen.add(given)
                    waiting += self._uses.get(given, ())

    def _climb(self, node: ast.AST, marked: set[ast.AST]) -> Iterator[_Given]:
        """Mark a node and the expressions around it, and yield the names that are given their value.

        The way ends at what is marked already: whatever that gives its value to is known.
        """
        while not isinstance(node, ast.stmt | ast.Module):
            if node in marked:
                return
            marked.add(node)
            if isinstance(node, ast.NamedExpr):
                yield self._given(node.target.id, node)
            node = self._parents[node]
        match node:
            case ast.Assign(targets=targets):
                yield from self._assigned(targets)
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                yield from self._assigned([target])
            case ast.For(target=target) | ast.AsyncFor(target=target):
                yield from self._assigned([target])
            case ast.Return():
                yield from self._returned(node)

    def _assigned(self, targets: list[ast.expr]) -> Iterator[_Given]:
        for part in (part for target in targets for part in walk(target)):
            if isinstance(part, ast.Name):
                yield self._given(part.id, part)
            elif isinstance(part, ast.Attribute):
                yield _Given(part.attr, None)

    def _returned(self, node: ast.AST) -> Iterator[_Given]:
        while not isinstance(node, _Function | ast.Module):
            node = self._parents[node]
        if isinstance(node, _Function):
            yield self._given(node.name, node)

    def _given(self, name: str, node: ast.AST) -> _Given:
        return _Given(name, None if name in self._globals else self._scopes[node])

    def _feeds_decoder(self, node: ast.AST) -> bool:
        parent = self._parents[node]
        return isinstance(parent, ast.Call) and parent in self._decoders and parent.func is not node


def _is_opaque(value: str | bytes) -> bool:
    if len(value) < _LARGE:
        return False
    if isinstance(value, bytes):
        if sum(not 0x20 <= byte < 0x7F for byte in value) > len(value) / 5:
            return True
        value = value.decode("latin-1")
    # Text is made of words; encoded bytes of lines, at the shortest.
    return _OPAQUE_TEXT.fullmatch(value) is not None and len(value.split()) < len(value) / 40


def _names_decoder(value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return _DECODER_IN_TEXT.search(text) is not None
