"""What may be changed: every small change of the processes of a source file, as text with a place and a kind.

A process is a function under one of MyHDL's decorators. Its operators, constants, conditions, enables, assignments,
clock and reset are changed; around it the CAPITAL constants of its block and of the file, and reset values.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

DECORATORS = ("always_comb", "always_seq", "always")
SWAPPED: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
NAMES = {ast.Add: "arithmetic", ast.Sub: "arithmetic", ast.Mult: "arithmetic", ast.And: "logic", ast.Or: "logic"}
NAMES |= dict.fromkeys((ast.BitAnd, ast.BitOr, ast.BitXor), "logic") | dict.fromkeys((ast.LShift, ast.RShift), "shift")
NAMES |= dict.fromkeys((ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE), "comparison")
HIGH = {"flag()": '__import__("myhdl").Signal(bool(1))', "dim()": '__import__("myhdl").Signal(1 + dim())'}


@dataclass(frozen=True)
class Change:
    """One change: ``old`` between two offsets of the file becomes ``new``.

    Fields:
        kind: what is changed.
        scope: names of the functions around it.
        start, end: offsets in the text.
    """

    kind: str
    scope: str
    start: int
    end: int
    new: str


def syntax_tree(text: str) -> ast.Module:
    """Of a source file."""
    return ast.parse(text)


def processes(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions that become hardware."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _decorator(node) is not None]


def _decorator(node: ast.FunctionDef) -> ast.expr | None:
    """The decorator that makes a function a process."""
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(function, ast.Name) and function.id in DECORATORS:
            return decorator
    return None


def _is_named_state(node: ast.AST) -> bool:
    """A member of an enumeration: there is no next one."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value).lower().endswith("phases")


def changes(text: str) -> list[Change]:
    """Every change of a source file, in the order of the text."""
    found = list(_Finder(text).all())
    return sorted(found, key=lambda change: (change.start, change.end, change.kind, change.new))


class _Finder:
    """The changes of one file."""

    def __init__(self, text: str) -> None:
        self.text, self.tree = text, syntax_tree(text)
        lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.scope = ""

    def all(self) -> Iterator[Change]:
        """Of the file."""
        yield from self._constants(self.tree.body)
        yield from self._functions(self.tree, [], None)

    def _functions(self, node: ast.AST, scope: list[str], block: ast.FunctionDef | None) -> Iterator[Change]:
        """Blocks and their processes below a node."""
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.ClassDef):
                if not isinstance(child, ast.expr):
                    yield from self._functions(child, scope, block)
                continue
            inner = [*scope, child.name]
            self.scope = ".".join(inner)
            if isinstance(child, ast.FunctionDef) and _decorator(child) is not None:
                yield from self._process(child, block)
            else:
                is_block = isinstance(child, ast.FunctionDef) and "block" in map(ast.unparse, child.decorator_list)
                if is_block:
                    yield from self._constants(child.body)
                    yield from self._reset_values(child)
                yield from self._functions(child, inner, child if is_block else block)

    def _process(self, process: ast.FunctionDef, block: ast.FunctionDef | None) -> Iterator[Change]:
        decorator = _decorator(process)
        assert decorator is not None
        yield from self._clocking(decorator, block)
        for statement in process.body:
            for node in ast.walk(statement):
                yield from self._node(node)

    def _clocking(self, decorator: ast.expr, block: ast.FunctionDef | None) -> Iterator[Change]:
        """Without its reset; a cycle late."""
        said = ast.unparse(decorator)
        names = {argument.arg for argument in block.args.args} if block else set()
        if said.startswith("always_seq") and "aresetn" in said:
            yield self._made("reset left out", decorator, "always_seq(clk.posedge, reset=None)")
        elif said == "always_comb" and "clk" in names:
            yield self._made("a cycle late", decorator, '__import__("myhdl").always(clk.posedge)')

    def _node(self, node: ast.AST) -> Iterator[Change]:
        if isinstance(node, ast.BinOp | ast.BoolOp):
            yield from self._swapped(node, node.op)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.RShift):
                yield self._made("shift", node.right, f"({ast.unparse(node.right)} + 1)")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            for new in SWAPPED.get(type(node.ops[0]), ()):
                changed = copy.deepcopy(node)
                changed.ops = [new()]
                yield self._made("comparison", node, ast.unparse(changed))
            side = node.comparators[0]
            if type(node.ops[0]) in SWAPPED and not _is_named_state(side) and not isinstance(side, ast.Constant):
                yield self._made("off by one", side, f"({ast.unparse(side)} + 1)")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._made("negation", node, f"({ast.unparse(node.operand)})")
        elif isinstance(node, ast.If | ast.IfExp):
            yield from self._condition(node)
        elif isinstance(node, ast.Assign):
            yield self._made("assignment removed", node, "pass")
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)

    def _swapped(self, node: ast.BinOp | ast.BoolOp, operator: ast.operator | ast.boolop) -> Iterator[Change]:
        for new in SWAPPED.get(type(operator), ()):
            changed = copy.deepcopy(node)
            changed.op = new()  # type: ignore[assignment]
            yield self._made(NAMES[type(operator)], node, f"({ast.unparse(changed)})")

    def _condition(self, node: ast.If | ast.IfExp) -> Iterator[Change]:
        said = ast.unparse(node.test)
        yield self._made("condition negated", node.test, f"not ({said})")
        always = "enable dropped" if isinstance(node, ast.If) and not node.orelse else "condition true"
        yield self._made(always, node.test, "True")
        yield self._made("condition false", node.test, "False")

    def _constant(self, node: ast.Constant) -> Iterator[Change]:
        if isinstance(node.value, bool):
            yield self._made("constant", node, str(not node.value))
        elif isinstance(node.value, int):
            yield self._made("constant", node, str(node.value + 1))
            if node.value:
                yield self._made("constant", node, str(node.value - 1))

    def _constants(self, body: list[ast.stmt]) -> Iterator[Change]:
        """CAPITAL constants, one more and one less; a width only less: a wider signal holds the same."""
        for statement in body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                continue
            name, value = statement.targets[0].id, statement.value
            if not name.isupper() or isinstance(value, ast.Tuple | ast.Dict | ast.List | ast.GeneratorExp):
                continue
            if isinstance(value, ast.Call) and ast.unparse(value.func) not in ("len", "max", "min", "log2_exact"):
                continue
            if isinstance(value, ast.Constant) and not isinstance(value.value, int):
                continue
            said = ast.unparse(value)
            if not name.endswith("BITS"):
                yield self._made("constant", value, f"({said}) + 1")
            yield self._made("constant", value, f"({said}) - 1")

    def _reset_values(self, block: ast.FunctionDef) -> Iterator[Change]:
        """Signals of a block that start at 1."""
        for statement in block.body:
            if isinstance(statement, ast.Assign):
                for node in ast.walk(statement.value):
                    if isinstance(node, ast.Call) and ast.unparse(node) in HIGH:
                        yield self._made("reset value", node, HIGH[ast.unparse(node)])

    def _made(self, kind: str, node: ast.AST, new: str) -> Change:
        start, end = (
            self._offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self._offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )
        return Change(kind, self.scope, start, end, new)

    def _offset(self, line: int, column: int) -> int:
        """Of a place that counts bytes of UTF-8."""
        start = self.starts[line - 1]
        text = self.text[start : self.starts[line]]
        return start + len(text.encode()[:column].decode())
