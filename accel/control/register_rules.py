"""What the registers must satisfy when a timestep starts: limits of the build, and relations among registers.

One list for the RTL (``accel/control/check_registers.py`` works it off in this order, and stops at the first rule that
is broken), for documents and C header, and for Python (``broken_rule``). Where a rule is broken the machine would wait
for ever, or compute something else than the host means. Addresses and what lies in external memories cannot be checked.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from radit.accel.config import FRAME_CHANNELS, MOST_TEXTS, BuildConfig, log2_exact
from radit.accel.control.registers import CODE
from radit.accel.dims import HIDDEN_STEP, MAX_CODES, MAX_KEYS, MAX_REDUCTION, MAX_SUM_CHANNELS
from radit.accel.interfaces.signals import DIM_BITS
from radit.accel.units.residual import LATENCY as RESIDUAL_LATENCY

FEWEST_WORDS = RESIDUAL_LATENCY + 1  # of a context whose difference is forecast (residual_pass/front_half.py)
DIM_MAX = (1 << DIM_BITS) - 1
SUM_BITS = 2 * DIM_BITS + 2  # of what is compared: a few products of two dimensions
PARITIES = ("even", "odd")


class Operand(NamedTuple):
    """``name << up``; with ``down`` its number of parts of ``1 << down``, rounded up; with ``power`` 1 << name. No
    name: 1."""

    name: str = ""
    up: int = 0
    down: int = 0
    power: bool = False

    def value(self, values: Mapping[str, int]) -> int:
        """The operand's value, of those of the registers."""
        if not self.name:
            return 1
        if self.power:
            return 1 << values[self.name]
        return -(-values[self.name] >> self.down) if self.down else values[self.name] << self.up


ONE = Operand()


class Rule(NamedTuple):
    """A rule about one register.

    Fields:
        register: which is at fault where the rule is broken.
        kind: "limit": ``low`` to ``high``, and a multiple of ``step``. Others compare the operand with the sum of
            ``products``: "equal", "most" (it is not above), "divides" (it divides them). "sum": the sum is
            ``low`` to ``high``.
        text: the rule as documents say it.
        operand: of the register.
        when: the condition under which the rule holds, one of ``CONDITIONS``; "": always.
    """

    register: str
    kind: str
    text: str
    operand: Operand
    products: tuple[tuple[Operand, Operand], ...] = ()
    low: int = 0
    high: int = 0
    step: int = 1
    when: str = ""

    @property
    def code(self) -> int:
        """Of the error."""
        return CODE["RANGE"] if self.kind == "limit" and not self.when else CODE["RELATION"]

    def holds(self, values: Mapping[str, int]) -> bool:
        """These registers satisfy it."""
        if self.when and not CONDITIONS[self.when](values):
            return True
        value = self.operand.value(values)
        total = sum(first.value(values) * second.value(values) for first, second in self.products)
        if self.kind == "limit":
            return self.low <= value <= self.high and value % self.step == 0
        if self.kind == "sum":
            return self.low <= total <= self.high
        if self.kind == "divides":
            return total % value == 0
        return value <= total if self.kind == "most" else value == total


def _crosses(values: Mapping[str, int]) -> bool:
    return bool(values["cross_even"] or values["cross_odd"])


def _reads(context: int) -> Callable[[Mapping[str, int]], bool]:
    return lambda values: _crosses(values) and values["contexts"] > context


CONDITIONS: dict[str, Callable[[Mapping[str, int]], bool]] = {
    "spatial_even": lambda values: values["log_frames_even"] == 0,
    "temporal_even": lambda values: values["log_frames_even"] != 0,
    "spatial_odd": lambda values: values["log_frames_odd"] == 0,
    "temporal_odd": lambda values: values["log_frames_odd"] != 0,
    "differs": lambda values: bool(values["policy"] and values["stream_scope"] and values["difference"]),
    "crosses": _crosses,
    "adds_frames": lambda values: values["frame_beats"] != 0,
    **{f"reads_{context}": _reads(context) for context in range(MOST_TEXTS)},
}
WHERE = {"spatial": "where log_frames is 0", "temporal": "where log_frames is not 0"}


def _limit(register: str, text: str, high: int, low: int = 1, step: int = 1, when: str = "") -> Rule:
    return Rule(register, "limit", text, Operand(register), low=low, high=high, step=step, when=when)


def _equal(
    register: str, text: str, *products: tuple[Operand, Operand], up: int = 0, when: str = "", kind: str = "equal"
) -> Rule:
    return Rule(register, kind, text, Operand(register, up), products, when=when)


def register_rules(config: BuildConfig) -> tuple[Rule, ...]:
    """All rules of a build, in the order in which they are checked: limits before what is multiplied."""
    rules = (*_limits(config), *_sizes(config), *_weights(config))
    for parity in PARITIES:
        rules += _groups(config, parity)
    rules += _frames(config) if config.max_frames else ()
    return (*rules, *_texts(config)) if config.max_text else rules


def _limits(config: BuildConfig) -> tuple[Rule, ...]:
    hidden, mlp = min(config.max_hidden, MAX_SUM_CHANNELS), min(config.max_mlp, MAX_REDUCTION, DIM_MAX)
    contexts, sub_blocks = min(config.max_contexts, DIM_MAX), min(config.max_sub_blocks, DIM_MAX)
    rows = config.padded_tokens // config.rows
    found = [
        _limit("hidden", f"1 to max_hidden, a multiple of {HIDDEN_STEP}", hidden, step=HIDDEN_STEP),
        _limit("mlp", "1 to max_mlp, even in builds of two products", mlp, step=config.products),
        _limit("heads", "1 to max_hidden", hidden),
        _limit("head_dim", "1 to max_hidden", hidden),
        _limit("contexts", "1 to max_contexts", contexts),
        _limit("sub_blocks", "1 to max_sub_blocks", sub_blocks),
        _limit("row_tiles", "1 to those of max_tokens, whole supertiles", rows, step=config.wide // config.rows),
    ]
    if contexts * hidden > DIM_MAX:
        found.append(_sum("contexts", f"contexts x hidden at most {DIM_MAX}", "contexts", "hidden", DIM_MAX))
    if contexts * sub_blocks > DIM_MAX:
        found.append(_sum("contexts", f"contexts x sub_blocks at most {DIM_MAX}", "contexts", "sub_blocks", DIM_MAX))
    if mlp + hidden > DIM_MAX:
        both = ((Operand("mlp"), ONE), (Operand("hidden"), ONE))
        found.append(Rule("mlp", "sum", f"mlp + hidden at most {DIM_MAX}", Operand("mlp"), both, high=DIM_MAX))
    if config.padded_tokens * hidden >= MAX_CODES:
        products = ((Operand("row_tiles", log2_exact(config.rows)), Operand("hidden")),)
        text = "tokens x hidden below 2^24"
        found.append(Rule("row_tiles", "sum", text, Operand("row_tiles"), products, high=MAX_CODES - 1))
    return tuple(found)


def _sum(register: str, text: str, first: str, second: str, most: int) -> Rule:
    return Rule(register, "sum", text, Operand(register), ((Operand(first), Operand(second)),), high=most)


def _sizes(config: BuildConfig) -> tuple[Rule, ...]:
    """What follows from channels, tokens and contexts."""
    log_rows, log_cols = log2_exact(config.rows), log2_exact(config.cols)
    parts = log2_exact(config.wide // config.rows)
    hidden, contexts, rows = Operand("hidden"), Operand("contexts"), Operand("row_tiles")
    tokens = Operand("row_tiles", log_rows)
    return (
        _equal("hidden", "heads x head_dim", (Operand("head_dim"), Operand("heads"))),
        _equal("col_tiles", "row_tiles x R / C", (tokens, ONE), up=log_cols),
        _equal("row_tiles_all", "contexts x row_tiles", (rows, contexts)),
        _equal("supertiles_all", "contexts x row_tiles x R / W", (rows, contexts), up=parts),
        _equal("tokens_all", "contexts x row_tiles x R", (tokens, contexts)),
        _equal("sub_block_words", "row_tiles x hidden", (hidden, rows)),
        _equal("codes_total", "row_tiles x R x hidden", (tokens, hidden)),
        _limit(
            "sub_block_words", f"{FEWEST_WORDS} or more, with policy, stream_scope and difference", MAX_CODES,
            low=FEWEST_WORDS, when="differs",
        ),
    )  # fmt: skip


def _weights(config: BuildConfig) -> tuple[Rule, ...]:
    """Weight words of the sub-blocks that all builds have."""
    log_rows, log_cols, pairs = (log2_exact(each) for each in (config.rows, config.cols, config.products))
    hidden, mlp = Operand("hidden"), Operand("mlp")
    by_cols, by_rows = (hidden, Operand("hidden", down=log_cols)), (hidden, Operand("hidden", down=log_rows))
    return (
        _equal(
            "attention_words", "(3 ceil(hidden / C) + ceil(hidden / R)) x hidden / P", by_cols, by_cols, by_cols,
            by_rows, up=pairs,
        ),
        _equal(
            "mlp_words", "(ceil(mlp / C) x hidden + ceil(hidden / C) x mlp) / P",
            (hidden, Operand("mlp", down=log_cols)), (mlp, Operand("hidden", down=log_cols)), up=pairs,
        ),
    )  # fmt: skip


def _groups(config: BuildConfig, parity: str) -> tuple[Rule, ...]:
    """Attention groups of the even or odd blocks."""
    names = "row_tiles", "col_tiles", "keys"
    row_tiles, col_tiles, keys = (f"group_{name}_{parity}" for name in names)
    frames, interleave, stride = (f"{name}_{parity}" for name in ("log_frames", "log_interleave", "frame_stride"))
    spatial, temporal = f"spatial_{parity}", f"temporal_{parity}"
    log_rows, log_cols, log_wide = (log2_exact(each) for each in (config.rows, config.cols, config.wide))
    group, parts = (Operand(row_tiles, log_rows), ONE), log_wide - log_rows
    most = log2_exact(config.wide // config.bank)
    keys_text = f"1 to {row_tiles} x R, at most {MAX_KEYS}"
    return (
        _limit(frames, "frames that frame_banks can address", most, low=0),
        _limit(keys, keys_text, min(MAX_KEYS, DIM_MAX)),
        _limit(row_tiles, "whole supertiles", DIM_MAX, step=1 << parts),
        _equal(row_tiles, f"divides row_tiles, {WHERE['spatial']}", (Operand("row_tiles"), ONE), when=spatial,
               kind="divides"),
        _equal(col_tiles, f"{row_tiles} x R / C", group, up=log_cols),
        _equal(keys, keys_text, group, kind="most"),
        _limit(row_tiles, f"W / R, {WHERE['temporal']}", 1 << parts, low=1 << parts, when=temporal),
        Rule(interleave, "sum", f"log2(W) - {frames}, {WHERE['temporal']}", Operand(interleave),
             ((Operand(frames), ONE), (Operand(interleave), ONE)), low=log_wide, high=log_wide, when=temporal),
        Rule(stride, "equal", f"row_tiles x R / W / frames, {WHERE['temporal']}", Operand("row_tiles"),
             ((Operand(stride, parts), Operand(frames, power=True)),), when=temporal),
    )  # fmt: skip


def _frames(config: BuildConfig) -> tuple[Rule, ...]:
    """Builds that add a frame embedding."""
    parts = log2_exact(config.wide // config.rows)
    where = "where frame_beats is not 0"
    return (
        _limit("frame_beats", "at most max_frames x max_hidden / 4", config.frame_depth, low=0),
        _limit("frame_row_tiles", f"1 to those of max_tokens, whole supertiles, {where}",
               config.padded_tokens // config.rows, step=1 << parts, when="adds_frames"),
        _equal("frame_row_tiles", f"divides row_tiles, {where}", (Operand("row_tiles"), ONE), when="adds_frames",
               kind="divides"),
        Rule("frame_beats", "equal", f"row_tiles / frame_row_tiles x hidden / 4, {where}", Operand("sub_block_words"),
             ((Operand("frame_beats", log2_exact(FRAME_CHANNELS)), Operand("frame_row_tiles")),), when="adds_frames"),
    )  # fmt: skip


def _texts(config: BuildConfig) -> tuple[Rule, ...]:
    """Builds with text."""
    log_cols, log_wide, pairs = (log2_exact(each) for each in (config.cols, config.wide, config.products))
    hidden, text, by_cols = Operand("hidden"), Operand("text_supertiles"), Operand("hidden", down=log_cols)
    where = "where blocks have a cross-attention"
    most = min(config.max_text, MAX_KEYS)
    return (
        _equal("cross_words", f"2 ceil(hidden / C) x hidden / P, {where}", *((hidden, by_cols),) * 2, up=pairs,
               when="crosses"),
        _limit("text_supertiles", f"1 to those of max_text, {where}", config.padded_text // config.wide,
               when="crosses"),
        _equal("text_supertiles_all", f"contexts x text_supertiles, {where}", (text, Operand("contexts")),
               when="crosses"),
        *(
            rule
            for context in range(config.max_contexts)
            for rule in (
                _limit(f"text_keys_{context}", f"1 to max_text, {where} and contexts is above {context}", most,
                       when=f"reads_{context}"),
                _equal(f"text_keys_{context}", "at most text_supertiles x W",
                       (Operand("text_supertiles", log_wide), ONE), when=f"reads_{context}", kind="most"),
            )
        ),
    )  # fmt: skip


def broken_rule(values: Mapping[str, int], config: BuildConfig) -> Rule | None:
    """The first rule that these registers break, or None.

    Args:
        values: of all registers by name; those of text only in builds with text.
    """
    return next((rule for rule in register_rules(config) if not rule.holds(values)), None)
