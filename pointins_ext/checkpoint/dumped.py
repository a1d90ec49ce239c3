"""Config files of experiments, read as data: what is found beside a checkpoint is never run."""

import ast
import os

from pointins_ext.errors import UserError

CONSTANTS = (bool, int, float, str, bytes, type(None))


def read_dumped_config(path):
    """Tree of a config.py as hosts dump it: `key = value` of literals, `dict(...)` and `float("inf")`.

    ValueError that names the file and the line for anything else, which would have to be run.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            statements = ast.parse(stream.read()).body
        return dict(_assignment(statement) for statement in statements if not _is_comment(statement))
    except _CodeError as error:
        line, what = error.args
        raise UserError(
            f"{path}, line {line}: found the code `{what}`; a config that lies beside a checkpoint is read as data and "
            f"never run: if you trust it, ask for it with config={os.fspath(path)!r} (--config)"
        ) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # ValueError: no text, or bytes of 0
        raise UserError(f"{path}: no config of an experiment: {getattr(error, 'msg', error)}") from error


class _CodeError(Exception):
    def __init__(self, node):
        super().__init__(node.lineno, ast.unparse(node).partition("\n")[0][:60])


def _is_comment(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _assignment(statement):
    if not (isinstance(statement, ast.Assign) and [type(target) for target in statement.targets] == [ast.Name]):
        raise _CodeError(statement)
    return statement.targets[0].id, _value(statement.value)


def _value(node):
    match node:
        case ast.Constant(value=value) if isinstance(value, CONSTANTS):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=pairs) if all(pair.arg for pair in pairs):
            return {pair.arg: _value(pair.value) for pair in pairs}
        case ast.Call(
            func=ast.Name(id="float"), args=[ast.Constant(value="inf" | "-inf" | "nan" as value)], keywords=[]
        ):
            return float(value)
    raise _CodeError(node)


def _key(node):
    if not (isinstance(node, ast.Constant) and isinstance(node.value, CONSTANTS)):
        raise _CodeError(node)
    return node.value
