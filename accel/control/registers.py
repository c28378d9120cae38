"""Register and counter map: the one list that RTL, driver, documentation, C header and energy model share.

Registers are 32 bit wide, at the address of their position in ``REGISTERS``; bits above a register's own are ignored.
What their values must satisfy is ``accel/control/register_rules.py``.
Counters are 64 bit: low word at ``COUNTER_BASE + 2 * position``, high word one above. ``EVENTS`` come first; the
accounts of cycles by phase and cause (``accel/control/cycle_accounts.py``) stand at position
``ACCOUNT_BASE + (phase << CAUSE_BITS) + cause``.
"""

from typing import NamedTuple

from radit.accel.config import MOST_TEXTS, BuildConfig
from radit.accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, LOG_BITS
from radit.accel.interfaces.streams import LENGTH_BITS
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS
from radit.model.formats import COUNT_BITS, FACTOR_BITS, SLOPE_BITS, STREAK_BITS


class BitField(NamedTuple):
    """Bits ``low`` to ``low + bits - 1`` of a register."""

    name: str
    low: int
    bits: int
    meaning: str


class Register(NamedTuple):
    """A register.

    Fields:
        bits: width.
        meaning: what stands in it.
        access: "command" (written, reads as 0), "status" (read; 1 clears a bit), "write" (and read back), "constant".
        while_busy: it may be written while the accelerator is busy.
        fields: its parts, where it has several.
        reset: what it reads as after a reset; a constant's follows from the build (``build_constants``).
    """

    bits: int
    meaning: str
    access: str = "write"
    while_busy: bool = False
    fields: tuple[BitField, ...] = ()
    reset: int = 0


# Bits of the register ``control``; each reads as a pulse.
START_BIT, NEW_IMAGE_BIT, CLEAR_BIT, ABORT_BIT = range(4)
START, NEW_IMAGE, CLEAR_COUNTERS, ABORT = (1 << bit for bit in (START_BIT, NEW_IMAGE_BIT, CLEAR_BIT, ABORT_BIT))
COMMANDS = (
    BitField("start", START_BIT, 1, "start a timestep"),
    BitField("new_image", NEW_IMAGE_BIT, 1, "forget what is cached: an image begins"),
    BitField("clear_counters", CLEAR_BIT, 1, "set all counters to 0"),
    BitField("abort", ABORT_BIT, 1, "end the timestep at once and begin anew; the other bits are then ignored"),
)

# Why a write, a START or a timestep came to nothing.
ERRORS = {
    "BUSY": "a register was written, or a timestep or image started, while busy; the write was left out",
    "RANGE": "START: a register has a value that this build cannot hold; nothing was started",
    "RELATION": "START: a register does not fit the others; nothing was started",
    "WATCHDOG": "nothing moved for as many cycles as register watchdog says; the timestep was ended",
    "ABORTED": "the host ended the timestep",
}
CODE = {name: code for code, name in enumerate(ERRORS, 1)}
CODE_BITS = 4
BUSY_BIT, DONE_BIT, ERROR_BIT, CHECKING_BIT = range(4)  # of the register ``status``
CODE_LOW, PLACE_LOW = 4, 8
STATES = (
    BitField("busy", BUSY_BIT, 1, "from the write of START to the end of the timestep, and while an abort lasts"),
    BitField("done", DONE_BIT, 1, "a timestep has ended as it should; 1 or the next START clears"),
    BitField("error", ERROR_BIT, 1, "something was refused or ended early; 1 clears, code and place as well"),
    BitField("checking", CHECKING_BIT, 1, "registers are being checked; a START waits for the end"),
    BitField("code", CODE_LOW, CODE_BITS, "of the first error since it was cleared"),
    BitField("place", PLACE_LOW, REGISTER_ADDRESS_BITS, "address of the register that the error is about"),
)

IDENTIFICATION = int.from_bytes(b"RADC", "big")
VERSION = 1, 0  # of the registers: major where a driver must change
VERSION_FIELDS = (BitField("minor", 0, 16, "minor version"), BitField("major", 16, 16, "major version"))
ARRAY_FIELDS = (
    BitField("rows", 0, 8, "rows of the array"),
    BitField("cols", 8, 8, "columns of the array"),
    BitField("products", 16, 8, "products of a cell and cycle"),
    BitField("frame_banks", 24, 8, "frames that can be addressed apart"),
)
LIMITS = {
    "max_hidden": "largest D",
    "max_mlp": "largest M",
    "max_tokens": "most tokens of a context",
    "max_contexts": "most contexts",
    "max_sub_blocks": "most sub-blocks",
    "max_text": "most text tokens of a context; 0: no cross-attention",
    "max_frames": "most frames whose embeddings are added; 0: none",
    "counters": "bits of an event counter; 0: none",
}


def _constant(meaning: str, fields: tuple[BitField, ...] = ()) -> Register:
    return Register(REGISTER_DATA_BITS, meaning, "constant", fields=fields)


REGISTERS = {
    "control": Register(ABORT_BIT + 1, "write: what is to be done", "command", while_busy=True, fields=COMMANDS),
    "status": Register(
        PLACE_LOW + REGISTER_ADDRESS_BITS, "read: what is going on", "status", while_busy=True, fields=STATES
    ),
    "hidden": Register(DIM_BITS, "D, channels"),
    "heads": Register(DIM_BITS, "attention heads"),
    "head_dim": Register(DIM_BITS, "channels of a head"),
    "mlp": Register(DIM_BITS, "M, channels between FC1 and FC2"),
    "sub_blocks": Register(DIM_BITS, "sub-blocks of all blocks: two of each, three with a cross-attention"),
    "contexts": Register(DIM_BITS, "contexts in lockstep"),
    "row_tiles": Register(DIM_BITS, "row tiles (R tokens) of one context"),
    "col_tiles": Register(DIM_BITS, "column tiles (C tokens) of one context"),
    "row_tiles_all": Register(DIM_BITS, "row tiles of all contexts"),
    "supertiles_all": Register(DIM_BITS, "supertiles (W tokens) of all contexts"),
    "tokens_all": Register(DIM_BITS, "padded tokens of all contexts"),
    "group_row_tiles_even": Register(DIM_BITS, "row tiles of an attention group, even blocks"),
    "group_col_tiles_even": Register(DIM_BITS, "column tiles of an attention group, even blocks"),
    "group_keys_even": Register(DIM_BITS, "valid keys of a group, even blocks (spatial groups)"),
    "log_frames_even": Register(LOG_BITS, "log2 of the frames of a temporal group, 0: spatial; even blocks"),
    "log_interleave_even": Register(LOG_BITS, "log2 of the groups interleaved in a supertile; even blocks"),
    "frame_stride_even": Register(DIM_BITS, "supertiles from one frame to the next; even blocks"),
    "group_row_tiles_odd": Register(DIM_BITS, "as above, odd blocks"),
    "group_col_tiles_odd": Register(DIM_BITS, "as above, odd blocks"),
    "group_keys_odd": Register(DIM_BITS, "as above, odd blocks"),
    "log_frames_odd": Register(LOG_BITS, "as above, odd blocks"),
    "log_interleave_odd": Register(LOG_BITS, "as above, odd blocks"),
    "frame_stride_odd": Register(DIM_BITS, "as above, odd blocks"),
    "policy": Register(1, "bit 0: detect, cache and reuse; 0: dense"),
    "stream_scope": Register(1, "bit 0: sub-block 0 decides for its context's timestep; the residual stream is cached"),
    "difference": Register(1, "bit 0, with stream_scope: odd contexts cache and forecast the difference to the last"),
    "streak_step": Register(FACTOR_BITS + 1, "DTSM: threshold loss per reuse in a row, Q0.8"),
    "tight": Register(FACTOR_BITS, "DTSM: factor when the features move fast, Q1.7"),
    "loose": Register(FACTOR_BITS, "DTSM: factor when they are calm, Q1.7"),
    "max_streak": Register(STREAK_BITS, "DTSM: longest run of reuses"),
    "slope_max": Register(SLOPE_BITS, "DTSM: largest slope of a forecast, Q3.8"),
    "codes_total": Register(COUNT_BITS, "codes of one context's input (padded tokens x D)"),
    "sub_block_words": Register(LENGTH_BITS, "row_tiles x D: words of one context's branch"),
    "weight_base": Register(ADDRESS_BITS, "weight port address of sub-block 0"),
    "attention_words": Register(LENGTH_BITS, "weight words of an attention sub-block"),
    "mlp_words": Register(LENGTH_BITS, "weight words of an MLP sub-block"),
    "mod_base": Register(ADDRESS_BITS, "mod port address of this timestep"),
    "param_base": Register(ADDRESS_BITS, "param port address of this timestep"),
    "cache_base": Register(ADDRESS_BITS, "cache port address of slot 0"),
    "cache_base_other": Register(
        ADDRESS_BITS, "cache port address of slot 1; that of slot 0 where no timestep forecasts"
    ),
    "history_base": Register(ADDRESS_BITS, "history port address"),
    "cross_even": Register(1, "bit 0: even blocks have a cross-attention; this and what follows: builds with text"),
    "cross_odd": Register(1, "bit 0: odd blocks have one"),
    "cross_words": Register(LENGTH_BITS, "weight words of a cross-attention sub-block"),
    "text_supertiles": Register(DIM_BITS, "supertiles (W text tokens) of one context"),
    "text_supertiles_all": Register(DIM_BITS, "supertiles (W text tokens) of all contexts"),
    "prompt_base": Register(ADDRESS_BITS, "prompt port address of the first cross-attention"),
    "prompt_words": Register(LENGTH_BITS, "prompt words from a context to the next"),
    **{
        f"text_keys_{context}": Register(DIM_BITS, f"text tokens of context {context}: keys that its queries see")
        for context in range(MOST_TEXTS)
    },
    "frame_base": Register(
        ADDRESS_BITS, "mod port address of the frame embedding; this and what follows: builds that add one"
    ),
    "frame_beats": Register(LENGTH_BITS, "beats of the frame embedding: frames x D / 4"),
    "frame_row_tiles": Register(DIM_BITS, "row tiles (R tokens) of a frame"),
    "watchdog": Register(
        REGISTER_DATA_BITS,
        "cycles of a timestep in which nothing moves, until it is ended; 0: never",
        while_busy=True,
    ),
    "identification": _constant(f"{IDENTIFICATION:#010x}, the letters RADC"),
    "version": _constant("of these registers", VERSION_FIELDS),
    "array": _constant("the array", ARRAY_FIELDS),
    **{name: _constant(meaning) for name, meaning in LIMITS.items()},
}
CONSTANTS = tuple(name for name, each in REGISTERS.items() if each.access == "constant")
FRAME_REGISTERS = ("frame_base", "frame_beats", "frame_row_tiles")  # of builds that add a frame embedding
TEXT_REGISTERS = tuple(name for name in REGISTERS if name.startswith(("cross_", "text_", "prompt_")))  # with text


def stored_registers(config: BuildConfig) -> tuple[str, ...]:
    """The registers that a build keeps."""
    left_out = {name for name, each in REGISTERS.items() if each.access != "write"}
    if not config.max_text:
        left_out |= set(TEXT_REGISTERS)
    if not config.max_frames:
        left_out |= set(FRAME_REGISTERS)
    left_out |= {f"text_keys_{context}" for context in range(config.max_contexts, MOST_TEXTS)}
    return tuple(name for name in REGISTERS if name not in left_out)


def build_constants(config: BuildConfig) -> dict[str, int]:
    """What the constant registers of a build read as."""
    values = {name: getattr(config, name) for name in LIMITS}
    values |= {
        "identification": IDENTIFICATION,
        "version": sum(part << field.low for part, field in zip(reversed(VERSION), VERSION_FIELDS, strict=True)),
        "array": sum(getattr(config, field.name) << field.low for field in ARRAY_FIELDS),
    }
    return {name: int(values[name]) for name in CONSTANTS}


COUNTER_BITS = 2 * REGISTER_DATA_BITS

COUNTER_BASE = 256
EVENTS: dict[str, str] = {
    "cycles": "cycles while busy",
    "array_cycles": "cycles in which the array multiplies (R x C MACs of each product)",
    "pass_cycles": "cycles of the residual / LayerNorm pass",
    "requant_words": "drained words requantized (R lanes)",
    "gelu_words": "words through GELU (R lanes)",
    "exp_words": "words through the softmax exponential (R lanes)",
    "recip_ops": "reciprocals",
    "residual_words": "words through the gated residual add (R lanes)",
    "norm_words": "words through LayerNorm, modulation and quantization (R lanes)",
    "rsqrt_tiles": "row tiles normalized (R reciprocal square roots each)",
    "ccu_words": "words encoded and compared (R lanes)",
    "dtsm_ops": "decisions",
    "a_reads_row": "A memory reads of R int8",
    "a_reads_col": "A memory reads of C int8",
    "a_writes": "A memory writes of R int8",
    "hidden_reads": "hidden memory reads of R int8",
    "hidden_writes": "hidden memory writes of R int8",
    "k_reads": "K memory reads of C int8",
    "k_writes": "K memory writes of R int8",
    "v_reads": "V memory reads of C int8",
    "v_writes": "V memory writes of R int8",
    "prob_reads": "probability memory reads of R int8",
    "prob_writes": "probability memory writes of R int8",
    "score_reads": "score memory reads of R 16-bit",
    "score_writes": "score memory writes of R 16-bit",
    "weight_reads": "weight ring reads of W int8",
    "weight_writes": "weight ring writes of W int8 = words fetched through the weight port",
    "x_reads": "x memory reads of R 16-bit",
    "x_writes": "x memory writes of R 16-bit",
    "fifo_reads": "x FIFO reads of R 16-bit",
    "fifo_writes": "x FIFO writes of R 16-bit",
    "gate_reads": "gate memory reads of 16 bit",
    "modulation_reads": "modulation memory reads of 32 bit (scale and shift)",
    "mod_writes": "conditioning memory writes of 64 bit = beats fetched, headers included",
    "param_reads": "requantization parameter memory reads of 64 bit",
    "param_writes": "requantization parameter memory writes of 64 bit = beats fetched",
    "code_reads": "code buffer reads of R x 4 bit = words written to the history",
    "code_writes": "code buffer writes of R x 4 bit",
    "history_reads": "words read from the history (R x 4 bit)",
    "cache_reads": "words read from the cache (R int8), latest results; a word of a stream is two",
    "slope_reads": "words read from the cache (R int8), results before the latest: what is forecast",
    "cache_writes": "words written to the cache (R int8)",
    "x_in_words": "words of x from the host (R 16-bit)",
    "x_out_words": "words of x to the host (R 16-bit)",
    "residual_saturations": "words in which a residual sum saturated",
    "norm_saturations": "words in which a LayerNorm output saturated",
    "modulate_saturations": "words in which a modulated value saturated 16 bit",
    "score_saturations": "words in which a score that counts saturated 16 bit; masked ones do not",
    "gelu_saturations": "words in which an input of GELU saturated 16 bit",
    "prompt_words": "words fetched through the prompt port (R int8) into K or V memory; builds with text",
    "bypass_words": "words modulated without LayerNorm (R lanes), among norm_words; builds with text",
    "frame_reads": "frame embedding reads of 4 channels; builds that add one",
    "frame_writes": "frame embedding writes of 4 channels, among mod_writes; builds that add one",
}
TEXT_EVENTS = ("prompt_words", "bypass_words")  # of builds with text
FRAME_EVENTS = ("frame_reads", "frame_writes")  # of builds that add a frame embedding
# Any of these shows that a timestep goes on; ``cycles`` and ``pass_cycles`` only show that it has not ended.
PROGRESS = (
    "array_cycles", "requant_words", "exp_words", "residual_words", "norm_words", "dtsm_ops", "weight_writes",
    "mod_writes", "param_writes", "code_reads", "history_reads", "cache_reads", "slope_reads", "cache_writes",
    "x_in_words", "x_out_words", "prompt_words",
)  # fmt: skip
SATURATIONS = tuple(name for name in EVENTS if name.endswith("_saturations"))

ADDRESS = {name: position for position, name in enumerate(REGISTERS)}

# Where the cycles go, as the array's front sees it.
PHASES = ("pass", "qkv", "attend", "projection", "fc1", "fc2", "cross", "cross_attend")
TEXT_PHASES = ("cross", "cross_attend")  # of builds with text
CAUSES = ("array", "weights", "operands", "drain", "vector", "controller")
CAUSE_BITS = 3
ACCOUNT_BITS = 6
ACCOUNT_BASE = 64
ACCOUNTS = {f"{phase}_{cause}": (phase, cause) for phase in PHASES for cause in CAUSES}


def built_events(config: BuildConfig) -> tuple[str, ...]:
    """The events that a build counts, in the order of their counters."""
    left_out = missing_counters(config)
    return tuple(name for name in EVENTS if name not in left_out)


def missing_counters(config: BuildConfig) -> frozenset[str]:
    """The counters that a build does not have."""
    without_text = frozenset() if config.max_text else TEXT_COUNTERS
    return without_text | (frozenset() if config.max_frames else frozenset(FRAME_EVENTS))


def account_of(phase: str, cause: str) -> int:
    """Number of the account that a cycle of this phase and cause is booked to."""
    return (PHASES.index(phase) << CAUSE_BITS) + CAUSES.index(cause)


COUNTERS: dict[str, str] = EVENTS | {
    name: f"cycles of phase {phase}, cause {cause}" for name, (phase, cause) in ACCOUNTS.items()
}
TEXT_COUNTERS = frozenset(TEXT_EVENTS) | {name for name, (phase, _) in ACCOUNTS.items() if phase in TEXT_PHASES}
SOME_COUNTERS = TEXT_COUNTERS | frozenset(FRAME_EVENTS)  # that not every build has
COUNTER_ADDRESS = {name: COUNTER_BASE + 2 * position for position, name in enumerate(EVENTS)} | {
    name: COUNTER_BASE + 2 * (ACCOUNT_BASE + account_of(*account)) for name, account in ACCOUNTS.items()
}
