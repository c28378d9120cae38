"""Each rule of the MyHDL lint finds its trap and leaves the right way of writing it alone."""

import textwrap

import pytest
from lint_myhdl import check, main
from myhdl_rules import BLOCK_RULES, GENERATOR_RULES, MODULE_RULES

UNIT = """
from radit.model.roms import GELU
SIZES = tuple(int(v) for v in range(4))

@block
def lane(clk, a, q):
    @always(clk.posedge)
    def move():
        q.next = a
    return move

@block
def unit(clk, reset, a, b, c, q, mem, word):
    W = 8
    {decorator}
    def act():
        for i in range(4):
            {statement}
    {returns}
"""


def rules(source: str) -> set[str]:
    return {rule for _, rule, _ in check(textwrap.dedent(source))}


def in_generator(statement: str, decorator: str = "@always_comb", returns: str = "return act") -> set[str]:
    return rules(UNIT.format(statement=statement, decorator=decorator, returns=returns))


STATEMENTS = [  # rule, wrong, right
    ("shift-of-compound", "q.next = (a * b) >> 3", "q.next = a >> 3"),
    ("shift-of-compound", "q.next = (a * b + c) << 1", "q.next = (W + 1) << 1"),
    ("shift-of-compound", "q.next = (-a) >> 1", "q.next = -a"),
    ("shift-of-compound", "q.next = (a << 2) >> 4", "q.next = a << 2"),
    ("shift-of-compound", "q.next = a >> (b + c)", "q.next = a >> (b + 1)"),
    ("compare-of-compound", "q.next = a + b > c", "q.next = a > c"),
    ("compare-of-compound", "q.next = 0 if c == a * b else 1", "q.next = 0 if c == W - 1 else 1"),
    ("compare-of-compound", "q.next = (a << 1) < b", "q.next = a < W * i"),
    ("truth-of-compound", "q.next = not (a + b)", "q.next = not a"),
    ("truth-of-compound", "q.next = 1 if a - b else 0", "q.next = 1 if a != b else 0"),
    ("truth-of-compound", "q.next = mem[a + b]", "q.next = mem[a + 1]"),
    ("truth-of-compound", "q.next = mem[int(a + b)]", "q.next = mem[int(a)]"),
    ("division", "q.next = a // 4", "q.next = a >> 2"),
    ("division", "q.next = a % 8", "q.next = a & 7"),
    ("division", "q.next = a / b", "q.next = W // 2"),
    ("verbatim-call", "q.next = max(a, b)", "q.next = a if a > b else b"),
    ("verbatim-call", "q.next = abs(a)", "q.next = -a if a < 0 else a"),
    ("verbatim-call", "q.next = sum(mem)", "q.next = len(a)"),
    ("moving-slice", "q.next = word[(i + 1) * W:i * W]", "q.next = word[2 * W:W]"),
    ("moving-slice", "q.next = word[i:]", "q.next = word[i]"),
    ("moving-slice", "q.next = word[W:i]", "q.next = word[W:]"),
    ("rom-arithmetic", "q.next = GELU[a] + 1", "q.next = GELU[a]"),
    ("rom-arithmetic", "q.next = SIZES[a] > b", "q.next = SIZES[int(a)]"),
]


@pytest.mark.parametrize("rule, wrong, right", STATEMENTS)
def test_statement(rule, wrong, right):
    assert rule in in_generator(wrong)
    assert in_generator(right) == set()


def test_reset_of_a_memory():
    store = "mem[a].next = b"
    assert in_generator(store, "@always_seq(clk.posedge, reset=reset)") == {"reset-memory"}
    assert in_generator(store, "@always_seq(clk.posedge, reset)") == {"reset-memory"}
    assert in_generator(store, "@always_seq(clk.posedge, reset=None)") == set()
    assert in_generator(store, "@always(clk.posedge)") == set()
    registers = "mem[i].next = b"  # every register of a list at its own index: meant to be reset
    assert in_generator(registers, "@always_seq(clk.posedge, reset=reset)") == set()


def test_loop_inside_an_if():
    loop, inside = (
        "for j in range(2):\n                    q.next[j] = b",
        "for j in range(2):\n                q.next[j] = b",
    )
    wrong = f"if a:\n                {loop}"
    other = f"if a:\n                q.next = 0\n            else:\n                {loop}"
    assert in_generator(wrong) == in_generator(other) == {"latched-loop"}
    assert in_generator(wrong, "@always_seq(clk.posedge, reset=reset)") == set()  # a register that nobody reads
    assert in_generator(f"if W > 4:\n                {loop}") == set()
    assert in_generator(inside) == set()


RETURNED = [
    "one = lane(clk, a, q)\n    return act, one",
    "return act, lane(clk, a, q)",
    "lanes = [lane(clk, a, m) for m in mem]\n    return act, *lanes",
    "lanes = []\n    for m in mem:\n        lanes.append(lane(clk, a, m))\n    return act, lanes",
    "lanes = [0]\n    for i in range(4):\n        lanes[i] = lane(clk, a, q)\n    both = act, lanes\n    return both",
    "one = lane(clk, a, q)\n    return instances()",
]
DROPPED = [
    "one = lane(clk, a, q)\n    return act",
    "lane(clk, a, q)\n    return act",
    "one = lane(clk, a, q)\n    return one",
    "lanes = []\n    for m in mem:\n        lanes.append(lane(clk, a, m))\n    return act",
    "if W > 4:\n        one = lane(clk, a, q)\n    return act",
    "pass",
]


@pytest.mark.parametrize("ending", RETURNED)
def test_returned(ending):
    assert in_generator("q.next = a", returns=ending) == set()


@pytest.mark.parametrize("ending", DROPPED)
def test_dropped(ending):
    assert in_generator("q.next = a", returns=ending) == {"unreturned"}


def test_blocks_of_other_modules_count():
    source = "@block\ndef top(clk):\n    one = adder(clk)\n    return []\n"
    assert check(source) == []
    assert [rule for _, rule, _ in check(source, {"adder"})] == ["unreturned"]


NAMED = [
    "@block\ndef unit({0}, q):\n    @always_comb\n    def act():\n        q.next = {0}\n    return act",
    "@block\ndef unit({0}, q):\n    @always({0}.posedge)\n    def act():\n        q.next = 1\n    return act",
    "@block\ndef unit(q):\n    {0} = flag()\n    @always_comb\n    def act():\n        {0}.next = q\n    return act",
]


@pytest.mark.parametrize("source", NAMED)
def test_reserved_names(source):
    assert [rules(source.format(name)) for name in ("logic", "Out", "const")] == [{"reserved-name"}] * 3
    assert rules(source.format("dst")) == set()


def test_interfaces_and_parameters_may_have_reserved_names():
    act = "@always_comb\n    def act():\n        q.next = group.rows\n    return act"
    assert rules(f"@block\ndef unit(config, group, q):\n    WIDTH = config.width\n    {act}") == set()


@pytest.mark.parametrize(
    "rom, bad",
    [
        ("tuple(np.arange(4))", True),
        ("tuple(v for v in values)", True),
        ("tuple(values)", True),
        ("tuple(int(v) for v in values)", False),
        ("tuple([int(v) for v in values])", False),
        ("tuple(map(int, values))", False),
        ("tuple(range(4))", False),
        ("(1, 2, 3)", False),
    ],
)
def test_rom_ints(rom, bad):
    source = f"""
        @block
        def unit(a, q):
            TABLE = {rom}
            @always_comb
            def look():
                q.next = TABLE[a]
            return look
    """
    assert rules(source) == ({"rom-ints"} if bad else set())


@pytest.mark.parametrize(
    "line, bad",
    [
        ("a = Signal(intbv(0)[16:])", True),
        ("a = modbv(0)[32:]", True),
        ("a = word(64)", True),
        ("a = ReadPort(64)", True),
        ("a = b[15:8]", True),
        ("a = Signal(intbv(0)[BITS:])", False),
        ("a = word(X_BITS)", False),
        ("a = flag()", False),
        ("a = intbv(0)[1:]", False),
        ("a = names[2:5]", False),
        ("a = range(64)", False),
        ("a = word(64)  # myhdl: allow width-literal, the bus of the standard", False),
    ],
)
def test_width_literal(line, bad):
    assert rules(line) == ({"width-literal"} if bad else set())


def test_a_reasoned_comment_allows_one_rule():
    wrong = "q.next = abs(a // 4)"
    assert in_generator(wrong) == {"division", "verbatim-call"}
    assert in_generator(wrong + "  # myhdl: allow division, a is never negative") == {"verbatim-call"}
    assert in_generator(wrong + "  # myhdl: allow division") == {"division", "verbatim-call"}  # no reason


def test_python_outside_generators_is_free():
    assert rules("def table(n):\n    return [max(i // 2, (i + 1) >> 1) for i in range(n)]") == set()


def test_every_rule_is_tested():
    tested = {rule for rule, _, _ in STATEMENTS} | {"reset-memory", "unreturned", "reserved-name", "rom-ints"}
    tested |= {"width-literal", "latched-loop"}
    assert tested == set(GENERATOR_RULES) | set(BLOCK_RULES) | set(MODULE_RULES)


def test_command_line(tmp_path, capsys):
    file = tmp_path / "unit.py"
    file.write_text(
        textwrap.dedent(UNIT.format(statement="q.next = abs(a)", decorator="@always_comb", returns="return act"))
    )
    assert main([str(tmp_path)]) == 1
    assert "unit.py:18: verbatim-call: abs()" in capsys.readouterr().out
    file.write_text("x = 1\n")
    assert main([str(file)]) == 0
    assert main([str(tmp_path / "missing")]) == 2
    assert main([]) == 2
