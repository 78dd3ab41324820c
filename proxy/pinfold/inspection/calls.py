"""What a call in a syntax tree calls, as far as it is plain to see: something that decodes, or that executes."""

import ast
import re

_DECODERS = {
    *("b64decode", "b32decode", "b16decode", "b85decode", "a85decode", "urlsafe_b64decode", "standard_b64decode"),
    *("decodebytes", "decodestring", "unhexlify", "a2b_hex", "a2b_base64", "a2b_qp", "a2b_uu"),
    *("decompress", "decrypt"),
}
_DECODERS_OF = {"loads": {"marshal"}, "fromhex": {"bytes", "bytearray"}}
_DECODING_CODEC = re.compile(r"(?:hex|base64|rot|zlib|zip|bz2|uu|quopri)[_-]?\d*(?:[_-]codec)?", re.IGNORECASE)
_BUILTINS = {None, "builtins", "__builtins__", "__builtin__"}
_EXECUTORS = {"exec", "eval", "compile"}
_CODE_MAKERS = {"FunctionType", "CodeType"}
_COMMANDS = {
    "os": {"system", "popen", "execv", "execve", "execl", "execlp", "execvp", "spawnl", "spawnv", "posix_spawn"},
    "subprocess": {"run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput"},
    "runpy": {"run_path", "run_module"},
}

NAMING = (ast.Import, ast.ImportFrom, ast.Assign)
"""The statements that may give a name to something that matters."""


class Names:
    """The names that a module gives to what it imports, and to the built-in functions that execute."""

    def __init__(self) -> None:
        self._meant: dict[str, str] = {}

    def add(self, node: ast.AST) -> None:
        """Take in a statement, if it gives such a name."""
        match node:
            case ast.Import(names=names):
                self._meant |= {alias.asname: alias.name for alias in names if alias.asname}
            case ast.ImportFrom(module=module, names=names):
                self._meant |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=original)) if original in _EXECUTORS:
                self._meant[name] = original

    def decodes(self, call: ast.Call) -> bool:
        """Tell whether a call turns what nobody can read into something else."""
        owner, name = self._called(call.func)
        if name == "decode":
            return any(_DECODING_CODEC.fullmatch(_text(argument)) for argument in call.args)
        if name == "join":
            return any(_is_by_character(argument) for argument in call.args)
        return name in _DECODERS or owner in _DECODERS_OF.get(name, ())

    def executes(self, call: ast.Call) -> str | None:
        """Return the name of what a call executes its arguments with; None where it does not."""
        owner, name = self._called(call.func)
        if name in _CODE_MAKERS or (name in _EXECUTORS and owner in _BUILTINS):
            return name
        return f"{owner}.{name}" if owner and name in _COMMANDS.get(owner, ()) else None

    def _called(self, function: ast.expr) -> tuple[str | None, str]:
        """Return what a function is taken from, None where it is called by its bare name, and that name."""
        match function:
            case ast.Name(id=name):
                owner, _, name = self._meant.get(name, name).rpartition(".")
                return owner or None, name
            case ast.Attribute(value=value, attr=name):
                return self._owner(value), name
            case ast.Call(func=ast.Name(id="getattr"), args=[value, attribute, *_]):
                return self._owner(value), _text(attribute)
            case ast.Subscript(value=value, slice=attribute):
                return self._owner(value), _text(attribute)
        return "", ""

    def _owner(self, value: ast.expr) -> str:
        while isinstance(value, ast.Attribute) and value.attr == "__dict__":
            value = value.value
        match value:
            case ast.Name(id=name):
                return self._meant.get(name, name)
            case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[argument, *_]):
                return _text(argument)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[argument, *_]):
                return _text(argument)
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                return name
        return ""


def _is_by_character(argument: ast.expr) -> bool:
    """Tell whether text is put together from the numbers of its characters."""
    match argument:
        case ast.GeneratorExp(elt=ast.Call(func=ast.Name(id="chr"))):
            return True
        case ast.ListComp(elt=ast.Call(func=ast.Name(id="chr"))):
            return True
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="chr"), *_]):
            return True
    return False


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
