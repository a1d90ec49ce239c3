"""Reading config files: executing them as Python, `_base_` inheritance, `{{ }}` placeholders."""

import ast
import difflib
import importlib
import os
import re
import types
import uuid
from glob import glob

from pointins_ext.errors import UserError, UserKeyError

BASE, DELETE = "_base_", "_delete_"
KINDS = {
    bool: "truth value",
    (int, float): "number",
    str: "text",
    dict: "dict",
    (list, tuple): "list",
}  # bool is an int
# kind of a config's value -> what an option may put there: a list for one value a group, a text for a list of one
TAKES = {
    "truth value": ("truth value", "number"),
    "number": ("number", "truth value", "list"),
    "dict": ("dict",),
    "list": ("list", "text"),
}


def read_file(path, options):
    """Config tree of a file and its bases, and the options it took as literals.

    Names such as `_timer` are there for `{{ _base_._timer }}` of children, and no part of the tree.
    """
    tree, used = _read(path, options)
    return {name: value for name, value in tree.items() if not name.startswith("_")}, used


def _read(path, options, children=()):
    path = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"config file {path} not found{_near_files(path)}")
    if path in children:
        raise UserError(f"{children[-1]}: {BASE} leads back to {path}")
    text, placeholders = _substitute_text(_text(path), path)
    tree, used = _execute(text, path, options)
    bases = tree.pop(BASE, [])
    base_tree = {}
    for base in [bases] if isinstance(bases, str) else bases:
        parent, parent_used = _read(os.path.join(os.path.dirname(path), base), options, (*children, path))
        duplicates = sorted(base_tree.keys() & parent.keys())
        if duplicates:
            raise UserKeyError(f"{path}: two files of {BASE} set the same keys {duplicates}")
        base_tree.update(parent)
        used |= parent_used
    return merge(_fill(tree, placeholders, base_tree, path), base_tree, path), used


def _text(path):
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except UnicodeDecodeError as error:
        raise UserError(f"config file {path} is no text: {error}") from error


def _substitute_text(text, path):
    """Replace `{{ fileDirname }}` and its kind by text and `{{ _base_.a.b }}` by a marker string: {marker: "a.b"}."""
    name, extension = os.path.splitext(os.path.basename(path))
    variables = dict(
        fileDirname=os.path.dirname(path).replace("\\", "/"),
        fileBasename=name + extension,
        fileBasenameNoExtension=name,
        fileExtname=extension,
    )
    text = re.sub(r"\{\{\s*(file\w+)\s*\}\}", lambda match: variables.get(match[1], match[0]), text)
    placeholders = {}

    def mark(match):
        marker = f"_base_{uuid.uuid4().hex}"
        placeholders[marker] = match[1]
        return f'"{marker}"'

    return re.sub(r"\{\{\s*_base_\.([\w.]+)\s*\}\}", mark, text), placeholders


def _execute(text, path, options):
    """Run the file with the options that are its literals put in; returns its names and the options used."""
    try:
        tree = ast.parse(text, path)
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: syntax error: {error.msg}") from None
    literals = [node for node in tree.body if _literal_name(node)]
    names = [_literal_name(node) for node in literals]
    used = {name for name in names if name in options and names.count(name) == 1}
    for node, name in zip(literals, names, strict=True):
        if name in used:
            check_kind(name, ast.literal_eval(node.value), options[name])
            node.value = ast.copy_location(ast.parse(repr(options[name]), mode="eval").body, node.value)
    namespace = {"__file__": path, "__name__": "config"}
    try:
        exec(compile(ast.fix_missing_locations(tree), path, "exec"), namespace)
    except Exception as error:
        raise UserError(f"{path}, line {_line_of(error, path)}: {type(error).__name__}: {error}") from error
    return {name: value for name, value in namespace.items() if _is_setting(name, value)}, used


def _literal_name(node):
    """Name that a top-level statement `name = literal` assigns, else None."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        try:
            ast.literal_eval(node.value)
        except ValueError:
            return None
        return node.targets[0].id
    return None


def _is_setting(name, value):
    return not (name.startswith("__") or isinstance(value, types.ModuleType) or callable(value))


def _line_of(error, path):
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return lines[-1] if lines else "?"


def check_kind(option, old, new):
    """ValueError where an option puts something of another kind in the place of a config's value `old`; None may."""
    kind = _kind(old)
    if new is not None and _kind(new) not in TAKES.get(kind, (_kind(new),)):
        raise UserError(f"option {option!r}: found {new!r}, expected a {kind} as the config's {_short(old)}")


def _kind(value):
    return next((name for types, name in KINDS.items() if isinstance(value, types)), None)


def _short(value):
    text = str(value)
    return text if len(text) < 60 else f"{text[:60]}..."


def _fill(value, placeholders, base_tree, path):
    """Replace the marker strings by the values of the bases."""
    if isinstance(value, dict):
        return {key: _fill(item, placeholders, base_tree, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_fill(item, placeholders, base_tree, path) for item in value)
    if not isinstance(value, str) or not any(marker in value for marker in placeholders):
        return value
    if value not in placeholders:
        raise UserError(f"{path}: '{{{{ _base_... }}}}' stands for a whole value and cannot be part of an expression")
    found = base_tree
    for key in placeholders[value].split("."):
        if not isinstance(found, dict) or key not in found:
            raise UserKeyError(f"{path}: {{{{ _base_.{placeholders[value]} }}}}: the bases have no key {key!r}")
        found = found[key]
    return found


def merge(child, base, path):
    """Child over base: dicts merge, everything else is replaced, `_delete_=True` drops the base's dict."""
    merged = dict(base)
    for key, value in child.items():
        if isinstance(value, dict):
            delete = value.get(DELETE, False)
            value = {name: item for name, item in value.items() if name != DELETE}
            if key in base and not delete:
                if not isinstance(base[key], dict):
                    raise UserError(
                        f"{path}: {key!r} is a dict here and {type(base[key]).__name__} in its base; "
                        f"add {DELETE}=True to replace it"
                    )
                value = merge(value, base[key], path)
            else:
                value = merge(value, {}, path)
        merged[key] = value
    return merged


def _near_files(path):
    """Names of config files that look like `path`, for the error message."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return near_names(os.path.relpath(path, folder), [folder])


def near_names(name, folders):
    """The end of a message: which config files of the folders, and of those in them, have a name like `name`."""
    names = [
        os.path.relpath(path, folder)
        for folder in folders
        for pattern in ("*.py", "*/*.py")
        for path in glob(os.path.join(folder, pattern))
    ]
    places = " and ".join(map(str, folders))
    if not names:
        return f"; {places} holds none"
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.4)
    return f"; near names in {places}: {', '.join(near or sorted(names)[:10])}"


def imported_names(custom_imports):
    """Names of the modules that `custom_imports` of a config lists, if it has any."""
    imports = custom_imports["imports"] if custom_imports else []
    return [imports] if isinstance(imports, str) else imports


def import_modules(custom_imports, path):
    """Import the modules of `custom_imports = dict(imports=[...], allow_failed_imports=False)`."""
    for name in imported_names(custom_imports):
        try:
            importlib.import_module(name)
        except ImportError as error:
            if not custom_imports.get("allow_failed_imports", False):
                raise ImportError(f"{path}: custom_imports: cannot import {name!r}: {error}") from error
