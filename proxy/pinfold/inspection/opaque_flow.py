"""The way of decoded bytes through a syntax tree to where they are executed."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

_DECODERS = {
    *("b64decode", "b32decode", "b16decode", "b85decode", "a85decode", "urlsafe_b64decode", "standard_b64decode"),
    *("decodebytes", "decodestring", "unhexlify", "a2b_hex", "a2b_base64", "a2b_qp", "a2b_uu"),
    *("decompress", "decrypt"),
}
_DECODERS_OF = {"loads": {"marshal"}, "fromhex": {"bytes", "bytearray"}}
_DECODING_CODECS = re.compile(r"(?:hex|base64|rot|zlib|zip|bz2|uu|quopri)(?:[_-]?\d*)(?:[_-]codec)?", re.IGNORECASE)
_DECODER_IN_TEXT = re.compile(r"b(?:64|32|16|85)decode|unhexlify|fromhex|decompress\(|marshal")
_EXECUTORS = {"exec", "eval", "compile"}
_CODE_MAKERS = {"FunctionType", "CodeType"}
_COMMANDS = {
    "os": {"system", "popen", "execv", "execve", "execl", "execlp", "execvp", "spawnl", "spawnv", "posix_spawn"},
    "subprocess": {"run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput"},
    "runpy": {"run_path", "run_module"},
}
_BUILTINS = {"builtins", "__builtins__", "__builtin__"}
_OPAQUE_TEXT = re.compile(r"[A-Za-z0-9+/=_\-\s\\]{1000,}")
_LARGE = 1000


@dataclass(frozen=True, slots=True)
class Flow:
    """A place where a module executes what it, or something in it, decodes."""

    line: int
    text: str
    identity: str


def find_opaque_flow(tree: ast.Module) -> list[Flow]:
    """Return where decoded bytes are executed, first the flows that are seen all the way.

    A name that is given a decoded value in a function stands for it there; elsewhere, in the whole module.
    """
    module = _Module(tree)
    flows = [
        Flow(call.lineno, f"{call_name} executes what is decoded on the spot", f"flow:{call_name}")
        for call, call_name in module.executors
        if module.is_decoded(call)
    ]
    if not flows and module.executors:
        name = module.executors[0][1]
        flows = [
            Flow(literal.node.lineno, f"{len(literal.value)} opaque characters are decoded beside {name}", "literal")
            for literal in module.decoded_literals()
        ][:1]
    return flows


@dataclass(frozen=True, slots=True)
class _Literal:
    node: ast.Constant
    value: str | bytes


@dataclass(frozen=True, slots=True)
class _Given:
    """A name that has been given a value, and the function or module in which it has."""

    name: str
    scope: ast.AST


class _Module:
    """A syntax tree in which everything is marked that a decoded value reaches."""

    def __init__(self, tree: ast.Module) -> None:
        self._module = tree
        self._globals: set[str] = set()
        self._parents: dict[ast.AST, ast.AST] = {}
        self._uses: dict[str, list[ast.AST]] = defaultdict(list)
        self._aliases: dict[str, str] = {}
        self._decoders: set[ast.AST] = set()
        self._literals: list[_Literal] = []
        self._marked: set[ast.AST] = set()
        self.executors: list[tuple[ast.Call, str]] = []
        nodes = list(ast.walk(tree))
        for node in nodes:
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
            self._collect(node)
        for node in nodes:
            if isinstance(node, ast.Call):
                self._classify(node)
        self._spread()

    def is_decoded(self, call: ast.Call) -> bool:
        """Tell whether a decoded value is among a call's arguments."""
        return any(argument in self._marked for argument in (*call.args, *(keyword.value for keyword in call.keywords)))

    def decoded_literals(self) -> Iterator["_Literal"]:
        """Yield the large opaque literals that are handed to something that decodes."""
        for literal in self._literals:
            if _is_opaque(literal.value) and (
                self._feeds_decoder(literal.node)
                or any(self._feeds_decoder(use) for given in self._given(literal.node) for use in self._uses_of(given))
            ):
                yield literal

    def _collect(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                self._aliases |= {alias.asname: alias.name for alias in names if alias.asname}
            case ast.ImportFrom(module=module, names=names):
                self._aliases |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                self._uses[name].append(node)
            case ast.Global(names=names):
                self._globals.update(names)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=original)) if original in _EXECUTORS:
                self._aliases[name] = original
            case ast.Constant(value=str() | bytes() as value):
                self._literals.append(_Literal(node, value))

    def _classify(self, call: ast.Call) -> None:
        owner, name = self._callee(call.func)
        if self._decodes(call, owner, name):
            self._decoders.add(call)
        elif name in _CODE_MAKERS or (name in _EXECUTORS and (owner is None or owner in _BUILTINS)):
            self.executors.append((call, name))
        elif owner is not None and name in _COMMANDS.get(owner, ()):
            self.executors.append((call, f"{owner}.{name}"))

    def _decodes(self, call: ast.Call, owner: str | None, name: str) -> bool:
        return (
            name in _DECODERS
            or owner in _DECODERS_OF.get(name, ())
            or (name == "decode" and any(_DECODING_CODECS.fullmatch(_text(argument)) for argument in call.args))
            or (name == "join" and any(self._is_by_character(argument) for argument in call.args))
        )

    def _is_by_character(self, argument: ast.expr) -> bool:
        """Tell whether text is put together from the numbers of its characters."""
        match argument:
            case ast.GeneratorExp(elt=ast.Call(func=ast.Name(id="chr"))):
                return True
            case ast.ListComp(elt=ast.Call(func=ast.Name(id="chr"))):
                return True
            case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="chr"), *_]):
                return True
        return False

    def _callee(self, function: ast.expr) -> tuple[str | None, str]:
        """Return the module or object that a called function belongs to, where that is plain to see, and its name."""
        match function:
            case ast.Name(id=name):
                owner, _, name = self._aliases.get(name, name).rpartition(".")
                return owner or None, name
            case ast.Attribute(value=value, attr=name):
                return self._owner(value), name
            case ast.Call(func=ast.Name(id="getattr"), args=[value, attribute, *_]):
                return self._owner(value), _text(attribute)
            case ast.Subscript(value=value, slice=attribute):
                return self._owner(value), _text(attribute)
        return "", ""

    def _owner(self, value: ast.expr) -> str:
        match value:
            case ast.Name(id=name):
                return self._aliases.get(name, name)
            case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[argument, *_]):
                return _text(argument)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[argument, *_]):
                return _text(argument)
            case ast.Attribute(attr="__dict__", value=inner):
                return self._owner(inner)
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                return name
        return ""

    def _spread(self) -> None:
        """Mark all that contains a decoder, and go on from the names that it is given to."""
        waiting = [*self._decoders, *(text.node for text in self._literals if _names_decoder(text.value))]
        seen: set[_Given] = set()
        while waiting:
            node = waiting.pop()
            if node in self._marked:
                continue
            for given in self._given(node):
                if given not in seen:
                    seen.add(given)
                    waiting += self._uses_of(given)
            self._marked.update(self._expressions_around(node))

    def _expressions_around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield a node and what contains it, from the inside out, up to the statement or to what is marked already."""
        while not isinstance(node, ast.stmt | ast.Module) and node not in self._marked:
            yield node
            node = self._parents[node]

    def _given(self, node: ast.AST) -> Iterator["_Given"]:
        """Yield the names that are given a value which a node is part of; of `return`, the function's own."""
        targets: list[ast.expr] = []
        while not isinstance(node, ast.stmt | ast.Module):
            if isinstance(node, ast.NamedExpr):
                targets.append(node.target)
            node = self._parents[node]
        match node:
            case ast.Assign(targets=assigned):
                targets += assigned
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                targets.append(target)
            case ast.For(target=target) | ast.AsyncFor(target=target):
                targets.append(target)
        scope = self._scope(node)
        if isinstance(node, ast.Return) and isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _Given(scope.name, self._scope(self._parents[scope]))
        for part in (part for target in targets for part in ast.walk(target)):
            if isinstance(part, ast.Name):
                yield _Given(part.id, self._module if part.id in self._globals else scope)
            elif isinstance(part, ast.Attribute):
                yield _Given(part.attr, self._module)

    def _uses_of(self, given: "_Given") -> list[ast.AST]:
        return [use for use in self._uses[given.name] if given.scope is self._module or self._is_in(use, given.scope)]

    def _is_in(self, node: ast.AST, scope: ast.AST) -> bool:
        while node in self._parents and node is not scope:
            node = self._parents[node]
        return node is scope

    def _scope(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            node = self._parents[node]
        return node

    def _feeds_decoder(self, node: ast.AST) -> bool:
        parent = self._parents.get(node)
        return isinstance(parent, ast.Call) and parent in self._decoders and parent.func is not node


def _names(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _text(node: ast.expr) -> str:
    """Return the string that an expression of literals and `+` spells, or an empty one."""
    parts: list[str] = []
    waiting = [node]
    while waiting:
        match waiting.pop():
            case ast.Constant(value=str(text)):
                parts.append(text)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                waiting += [right, left]
            case _:
                return ""
    return "".join(parts)


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
