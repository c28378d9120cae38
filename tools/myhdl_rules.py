"""The rules of the MyHDL lint: what simulates correctly in Python and converts to something else.

A rule is a function from a piece of syntax tree (a generator, a block or a module) to findings;
GENERATOR_RULES, BLOCK_RULES and MODULE_RULES name them all.

The background of most rules: a Verilog expression is computed as wide as its context, or, in a shift
amount, an index, a condition or a comparison, only as wide as its own operands. MyHDL's Python has no
widths there. So every product, sum and shift lands in a sized signal of its own first.
"""

import ast
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field

from hdl_keywords import RESERVED

GENERATOR_DECORATORS = {"always", "always_comb", "always_seq", "instance"}
EMITTED_VERBATIM = {"abs", "divmod", "max", "min", "pow", "round", "sum"}
ADDS_UP = (ast.Add, ast.Sub, ast.Mult)
SIZED = {"word", "unsigned", "signed", "number", "ReadPort", "WritePort", "Stream"}  # their arguments are widths

Finding = tuple[int, str]  # line, message


@dataclass
class Generator:
    """A function under @always and its kin, with the names around it that matter to the rules."""

    function: ast.FunctionDef
    roms: set[str]  # names of constant tuples
    loops: set[str] = field(init=False)

    def __post_init__(self) -> None:
        targets = (node.target for node in ast.walk(self.function) if isinstance(node, ast.For))
        self.loops = {target.id for target in targets if isinstance(target, ast.Name)}

    def nodes(self) -> Iterator[ast.AST]:
        for statement in self.function.body:
            yield from ast.walk(statement)

    def is_static(self, node: ast.AST) -> bool:
        """Known when converted: numbers, CAPITAL constants, loop variables and what is computed from them."""
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return is_capital(node.id) or node.id in self.loops
        if isinstance(node, ast.BinOp):
            return self.is_static(node.left) and self.is_static(node.right)
        if isinstance(node, ast.UnaryOp):
            return self.is_static(node.operand)
        if isinstance(node, ast.Compare):
            return all(map(self.is_static, [node.left, *node.comparators]))
        if isinstance(node, ast.Call):
            return bool(node.args) and name_of(node.func) in ("int", "len") and all(map(self.is_static, node.args))
        return False

    def is_compound(self, node: ast.AST) -> bool:
        """A sum, difference, product, negation or left shift of signals: its width matters."""
        if self.is_static(node):
            return False
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, (*ADDS_UP, ast.LShift))
        return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)

    def is_self_sized(self, node: ast.AST) -> bool:
        """A sum or product that Verilog cuts to its operands' width where no context widens it.

        A constant operand is 32 bits wide in the converted code, so ``a + 1`` is safe.
        """
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ADDS_UP):
            return False
        return not self.is_static(node.left) and not self.is_static(node.right)


# -- rules on generators -------------------------------------------------------------------------------------------


def shift_of_compound(generator: Generator) -> Iterator[Finding]:
    """`(a * b) >> k`: the inner value is cut to the width of the target."""
    for node in generator.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift | ast.LShift):
            if generator.is_compound(node.left):
                yield node.lineno, "shift of a compound expression: land it in a sized signal first"
            if generator.is_self_sized(node.right):
                yield node.lineno, "shift by a compound expression: land the amount in a sized signal first"


def compare_of_compound(generator: Generator) -> Iterator[Finding]:
    """`a + b > c`: the sum is cut to the wider of a, b and c."""
    for node in generator.nodes():
        if isinstance(node, ast.Compare) and any(map(generator.is_compound, [node.left, *node.comparators])):
            yield node.lineno, "comparison of a compound expression: land it in a sized signal first"


def truth_of_compound(generator: Generator) -> Iterator[Finding]:
    """`if a + b:`, `mem[a + b]`: the sum is cut to the wider of a and b."""
    for node in generator.nodes():
        tested: list[ast.expr] = []
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            tested = [node.test]
        elif isinstance(node, ast.BoolOp):
            tested = node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            tested = [node.operand]
        elif isinstance(node, ast.Call) and name_of(node.func) == "bool":
            tested = node.args
        elif isinstance(node, ast.Subscript):
            index = node.slice
            tested = [index.args[0] if isinstance(index, ast.Call) and index.args else index]
        for expression in filter(generator.is_self_sized, tested):
            yield expression.lineno, "condition or index of a compound expression: land it in a sized signal first"


def division(generator: Generator) -> Iterator[Finding]:
    """Verilog truncates toward zero, Python rounds down."""
    for node in generator.nodes():
        if not isinstance(node, ast.BinOp | ast.AugAssign) or not isinstance(node.op, ast.FloorDiv | ast.Mod | ast.Div):
            continue
        if isinstance(node, ast.BinOp) and (generator.is_static(node) or is_text(node.left)):
            continue
        yield node.lineno, "/, // and % differ from Verilog on negative values: use >>, a mask or a wrap compare"


def verbatim_call(generator: Generator) -> Iterator[Finding]:
    """`max(a, b)` is copied into the Verilog as it stands."""
    for node in generator.nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EMITTED_VERBATIM:
            yield node.lineno, f"{node.func.id}() is emitted verbatim: write the comparison out"


def moving_slice(generator: Generator) -> Iterator[Finding]:
    """`word[(i + 1) * W:i * W]`: a part-select needs constant bounds."""
    for node in generator.nodes():
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            names = {n.id for n in ast.walk(node.slice) if isinstance(n, ast.Name)}
            if names & generator.loops:
                yield node.lineno, "slice bounds with a loop variable: make one small block per lane"


def rom_arithmetic(generator: Generator) -> Iterator[Finding]:
    """`ROM[i] + 1` converts to invalid Verilog; a ROM read must be the whole right side."""
    whole = {id(node.value) for node in generator.nodes() if isinstance(node, ast.Assign)}
    for node in generator.nodes():
        if isinstance(node, ast.Subscript) and name_of(node.value) in generator.roms and id(node) not in whole:
            yield node.lineno, f"{name_of(node.value)}[...] inside an expression: assign the ROM's word first"


def reset_memory(generator: Generator) -> Iterator[Finding]:
    """A list of signals written at a variable index under @always_seq gets a reset of every word."""
    for decorator in generator.function.decorator_list:
        if not isinstance(decorator, ast.Call) or name_of(decorator.func) != "always_seq":
            continue
        resets = [k.value for k in decorator.keywords if k.arg == "reset"] + decorator.args[1:2]
        if all(isinstance(reset, ast.Constant) and reset.value is None for reset in resets):
            continue
        for node in generator.nodes():
            if isinstance(node, ast.Attribute) and node.attr == "next" and isinstance(node.ctx, ast.Store):
                word = node.value
                if isinstance(word, ast.Subscript) and not generator.is_static(word.slice):
                    yield node.lineno, "memory written under @always_seq: its reset clears every word, use @always"


def latched_loop(generator: Generator) -> Iterator[Finding]:
    """A `for` inside an `if` of combinational code: where the condition is false, the loop's variable keeps its value.
    Yosys 0.70 infers a latch from that, and the families of FPGAs refuse it."""
    if "always_comb" not in decorators(generator.function):
        return
    for node in generator.nodes():
        if isinstance(node, ast.If) and not generator.is_static(node.test):
            for inner in [each for branch in (node.body, node.orelse) for each in branch]:
                yield from (
                    (loop.lineno, "loop inside an if: its variable becomes a latch, put the if inside the loop")
                    for loop in ast.walk(inner)
                    if isinstance(loop, ast.For)
                )


# -- rules on blocks -----------------------------------------------------------------------------------------------


def unreturned(block: ast.FunctionDef, blocks: Set[str]) -> Iterator[Finding]:
    """A generator or sub-block that is not returned does not exist, and nobody says so."""
    flow: dict[str, set[str]] = {}  # name -> names whose instances it holds
    held: dict[str, int] = {}  # name that holds an instance -> line
    returned: set[str] = set()
    for statement in own_statements(block):
        instantiates = any(isinstance(n, ast.Call) and name_of(n.func) in blocks for n in ast.walk(statement))
        if isinstance(statement, ast.FunctionDef):
            if is_generator(statement):
                held[statement.name] = statement.lineno
        elif isinstance(statement, ast.Return):
            returned |= {name_of(n) for n in ast.walk(statement) if isinstance(n, ast.Name)}
        else:
            holders = holders_of(statement)
            for holder in holders:
                flow.setdefault(holder, set()).update(n.id for n in ast.walk(statement) if isinstance(n, ast.Name))
                if instantiates:
                    held.setdefault(holder, statement.lineno)
            if instantiates and not holders:
                yield statement.lineno, "sub-block instantiated and dropped: name it and return it"
    if "instances" in returned:
        return
    reached, todo = set(returned), list(returned)
    while todo:
        new = flow.get(todo.pop(), set()) - reached
        reached |= new
        todo += new
    for name, line in held.items():
        if name not in reached:
            yield line, f"{name!r} is not returned"


def reserved_names(block: ast.FunctionDef, _blocks: Set[str]) -> Iterator[Finding]:
    """A port or signal keeps its name when the block is converted as the top; VHDL ignores the case of names.

    Interfaces and build parameters may be called what they like: their names do not arrive there alone.
    """
    used = set().union(*(signals_in(n) for n in ast.walk(block) if isinstance(n, ast.FunctionDef) and is_generator(n)))
    suspects = {name for name in used if name.lower() in RESERVED and not is_capital(name)}
    for argument in [*block.args.posonlyargs, *block.args.args, *block.args.kwonlyargs]:
        if argument.arg in suspects:
            yield argument.lineno, f"port {argument.arg!r} is a reserved word in Verilog or VHDL"
    for statement in own_statements(block):
        for name in holders_of(statement) & suspects:
            yield statement.lineno, f"signal {name!r} is a reserved word in Verilog or VHDL"


# -- rules on the module -------------------------------------------------------------------------------------------


def rom_of_foreign_ints(tree: ast.Module) -> Iterator[Finding]:
    """A ROM tuple of numpy integers converts to invalid Verilog: `tuple(int(v) for v in ...)`."""
    read = {
        name_of(node.value)
        for generator in ast.walk(tree)
        if isinstance(generator, ast.FunctionDef) and is_generator(generator)
        for node in ast.walk(generator)
        if isinstance(node, ast.Subscript)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or not node.value.args:
            continue
        if name_of(node.value.func) == "tuple" and {name_of(t) for t in node.targets} & read:
            source = node.value.args[0]
            if isinstance(source, ast.GeneratorExp | ast.ListComp):
                source = source.elt
            made = name_of(source.func) if isinstance(source, ast.Call) else ""
            mapped = made == "map" and name_of(source.args[0]) == "int" if isinstance(source, ast.Call) else False
            if made not in ("int", "range") and not mapped:
                yield node.lineno, "ROM of values that may not be Python ints: write tuple(int(v) for v in ...)"


def width_literal(tree: ast.Module) -> Iterator[Finding]:
    """`intbv(0)[16:]`, `word(64)`, `data[7:4]`, `level == 255`: a width, or a limit that follows from one,
    that stands here as a number stands somewhere else as well."""
    for node in ast.walk(tree):
        for value in [*_literal_widths(node), *_literal_limits(node)]:
            yield (
                node.lineno,
                f"{value} is a width or follows from one: name it in model/formats.py or beside its format",
            )


def _literal_widths(node: ast.AST) -> list[int]:
    """Numbers that size a signal, a port or a slice."""
    candidates: list[ast.expr | None] = []
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.step is None:
        if (node.slice.lower is not None and node.slice.upper is None) or is_range(node.slice):
            candidates = [node.slice.lower, node.slice.upper]
    elif isinstance(node, ast.Call) and name_of(node.func) in SIZED:
        candidates = [*node.args, *(keyword.value for keyword in node.keywords)]
    return [value for each in candidates if (value := literal(each)) > 1]


def _literal_limits(node: ast.AST) -> list[int]:
    """Numbers 2**n and 2**n - 1, from 15 on, that a value is limited by or compared with."""
    candidates: list[ast.expr] = []
    if isinstance(node, ast.Call) and name_of(node.func) in {"intbv", "modbv"}:
        candidates = [keyword.value for keyword in node.keywords if keyword.arg in {"min", "max"}]
    elif isinstance(node, ast.Compare):
        candidates = [node.left, *node.comparators]
    found = [abs(literal(each)) for each in candidates]
    return [value for value in found if value >= 15 and (value & (value - 1) == 0 or value & (value + 1) == 0)]


GENERATOR_RULES: dict[str, Callable[[Generator], Iterator[Finding]]] = {
    "shift-of-compound": shift_of_compound,
    "compare-of-compound": compare_of_compound,
    "truth-of-compound": truth_of_compound,
    "division": division,
    "verbatim-call": verbatim_call,
    "moving-slice": moving_slice,
    "rom-arithmetic": rom_arithmetic,
    "reset-memory": reset_memory,
    "latched-loop": latched_loop,
}
BLOCK_RULES: dict[str, Callable[[ast.FunctionDef, Set[str]], Iterator[Finding]]] = {
    "unreturned": unreturned,
    "reserved-name": reserved_names,
}
MODULE_RULES: dict[str, Callable[[ast.Module], Iterator[Finding]]] = {
    "rom-ints": rom_of_foreign_ints,
    "width-literal": width_literal,
}


# -- syntax-tree helpers -------------------------------------------------------------------------------------------


def name_of(node: ast.AST) -> str:
    """The last part of a dotted name; empty for anything else."""
    return getattr(node, "id", getattr(node, "attr", ""))


def literal(node: ast.AST | None) -> int:
    """The number that stands there, also a negative one; else 0."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -literal(node.operand)
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else 0


def is_range(bounds: ast.Slice) -> bool:
    """`[7:4]`, high before low as hardware counts."""
    return literal(bounds.lower) > literal(bounds.upper) and isinstance(bounds.upper, ast.Constant)


def is_capital(name: str) -> bool:
    return name.isupper()


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def decorators(function: ast.FunctionDef) -> set[str]:
    return {name_of(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list}


def is_generator(function: ast.FunctionDef) -> bool:
    return bool(decorators(function) & GENERATOR_DECORATORS)


def own_statements(block: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Simple statements and nested functions of a block, also under for and if, none from inside those functions."""
    todo: list[ast.stmt] = list(block.body)
    while todo:
        statement = todo.pop(0)
        inner = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
        if isinstance(statement, ast.FunctionDef) or not inner:
            yield statement
        else:
            todo = inner + todo


def holders_of(statement: ast.stmt) -> set[str]:
    """The names that a statement puts something into: `x = ..`, `x[i] = ..`, `x += ..`, `x.append(..)`."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        if isinstance(called, ast.Attribute) and called.attr in ("append", "extend", "insert"):
            targets = [called.value]
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def signals_in(generator: ast.FunctionDef) -> set[str]:
    """Names a generator uses as signals by themselves: `q.next`, `clk.posedge`, `a`, but not `port.a`."""
    owners = {
        id(node.value)
        for node in ast.walk(generator)
        if isinstance(node, ast.Attribute) and node.attr not in ("next", "posedge", "negedge", "val")
    }
    return {node.id for node in ast.walk(generator) if isinstance(node, ast.Name) and id(node) not in owners}


def constant_tuples(tree: ast.Module) -> set[str]:
    """Names assigned a tuple anywhere in the module, and CAPITAL names that are imported (tables are)."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            value = node.value
            if isinstance(value, ast.Tuple) or (isinstance(value, ast.Call) and name_of(value.func) == "tuple"):
                names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
            elif isinstance(value, ast.Attribute | ast.Call | ast.Name):  # TABLE = roms.GELU, TABLE = table(...)
                names |= {t.id for t in node.targets if isinstance(t, ast.Name) and is_capital(t.id)}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name for a in node.names if is_capital(a.asname or a.name)}
    return names
