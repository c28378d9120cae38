"""Back half of the streaming pass: normalize, modulate, quantize, encode and compare."""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import address, dim, flag, signed, word
from radit.accel.interfaces.streams import Stream
from radit.accel.residual_pass.walker import Position, walker
from radit.accel.units.ccu import COUNT_LATENCY, ccu_unit
from radit.accel.units.fifo import stream_fifo
from radit.accel.units.layernorm import LATENCY as NORM_LATENCY
from radit.accel.units.modulate import LATENCY as MODULATE_LATENCY
from radit.accel.units.modulate import modulate_unit
from radit.model.formats import ACT_BITS, CODE_BITS, INT8_BITS, LN_BITS, MOD_BITS

HISTORY_DEPTH = 32  # stored codes between normalization and comparison
SETTLE = NORM_LATENCY + MODULATE_LATENCY + COUNT_LATENCY + 6  # last word in -> count and A memory complete


class BackControl:
    """The run of the back half.

    start: flag, a pulse; driven by ``residual_pass``. done: flag, a pulse, after the last context's decision.
    clear: flag, a pulse, another context begins: its changed codes are counted from 0. fire: flag, a word of the FIFO
    is taken. lacks_words: flag, it waits for stored codes. works: flag, words are, or are to come, inside.
    Driven by ``pace_words``.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.done = flag()
        self.clear = flag()
        self.fire = flag()
        self.lacks_words = flag()
        self.works = flag()


class ModulatedWord:
    """A word behind the modulation; driven by ``modulate_words``.

    valid: flag. act: R x 16 bit, Q9.6, for the CCU. quantized: R x int8, for A memory.
    """

    def __init__(self, config) -> None:
        self.valid = flag()
        self.act = word(config.rows * ACT_BITS)
        self.quantized = word(config.rows * INT8_BITS)


@block
def pace_words(clk, aresetn, control, mode, decisions, norm, fifo, history, position):
    """Let a word into the LayerNorm where it and its stored codes are there; between contexts wait for the decision.

    fifo: Stream between the halves. history: Stream of stored codes. position: Position of the word that comes next.
    """
    phases = enum("IDLE", "RUN", "SETTLE", "AWAIT")
    phase = Signal(phases.IDLE)
    request = decisions.request
    word_there, codes_there, was_last = flag(), flag(), flag()
    settle = word(bits_for(SETTLE + 1))

    @always_comb
    def find_word():
        word_there.next = phase == phases.RUN and fifo.tvalid and norm.tile_ready
        codes_there.next = not mode.with_history or history.tvalid
        control.works.next = phase == phases.RUN or phase == phases.SETTLE

    @always_comb
    def fire_word():
        control.fire.next = word_there and codes_there
        control.lacks_words.next = word_there and not codes_there
        norm.take.next = word_there and codes_there
        norm.last.next = position.last_channel

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        request.valid.next = 0
        control.done.next = 0
        control.clear.next = 0
        if phase == phases.IDLE:
            if control.start:
                request.context.next = 0
                control.clear.next = 1
                phase.next = phases.RUN
        elif phase == phases.RUN:
            if control.fire and position.last_of_context and (mode.compares or position.last):
                was_last.next = position.last
                settle.next = SETTLE
                phase.next = phases.SETTLE
        elif phase == phases.SETTLE:
            settle.next = settle - 1
            if settle == 1:
                if mode.compares:
                    request.valid.next = 1
                    phase.next = phases.AWAIT
                else:
                    control.done.next = 1
                    phase.next = phases.IDLE
        elif phase == phases.AWAIT:
            if decisions.decision.valid:
                control.clear.next = 1
                request.context.next = request.context + 1
                if was_last:
                    control.done.next = 1
                    phase.next = phases.IDLE
                else:
                    phase.next = phases.RUN

    return find_word, fire_word, sequence


@block
def modulate_words(clk, aresetn, start, norm, header, ports, modulated, regs, config):
    """Scale, shift and quantize what the LayerNorm gives; the int8 words go to A memory."""
    ROWS, LOW, HIGH = config.rows, MOD_BITS, 2 * MOD_BITS
    modulation, a_write = ports.conditioning.modulation, ports.memories.a_write
    read_position, write_position = Position(), Position()
    # Scale and shift meet the normalized value one cycle after it leaves the LayerNorm.
    normalized = word(ROWS * LN_BITS)
    valid, saturated = flag(), flag()
    scale, shift = signed(MOD_BITS), signed(MOD_BITS)
    read_walk = walker(
        clk=clk, aresetn=aresetn, restart=start, step=norm.valid, cond_base=ports.conditioning.base, regs=regs,
        position=read_position, config=config,
    )  # fmt: skip
    write_walk = walker(
        clk=clk, aresetn=aresetn, restart=start, step=modulated.valid, cond_base=ports.conditioning.base, regs=regs,
        position=write_position, config=config,
    )  # fmt: skip

    @always_comb
    def read_modulation():
        modulation.enable.next = norm.valid
        modulation.addr.next = read_position.cond_addr

    @always_seq(clk.posedge, reset=aresetn)
    def keep_normalized():
        valid.next = norm.valid
        if norm.valid:
            normalized.next = norm.data

    @always_comb
    def split_modulation():
        scale.next = modulation.data[LOW:].signed()
        shift.next = modulation.data[HIGH:LOW].signed()

    modulate = modulate_unit(
        clk=clk, src_valid=valid, y=normalized, scale=scale, shift=shift, mod_shift=header.mod_shift,
        dst_valid=modulated.valid, act=modulated.act, quantized=modulated.quantized, saturated=saturated, lanes=ROWS,
    )  # fmt: skip

    @always_comb
    def write_a():
        a_write.enable.next = modulated.valid
        a_write.addr.next = write_position.super_addr
        a_write.part.next = write_position.part
        a_write.data.next = modulated.quantized
        ports.events.modulate_saturated.next = modulated.valid and saturated

    return read_walk, write_walk, read_modulation, keep_normalized, split_modulation, modulate, write_a


@block
def compare_words(clk, aresetn, control, mode, modulated, header, ports, count, config):
    """Encode the modulated words, compare with the stored codes, count what changed; codes go to the code buffer."""
    ROWS = config.rows
    history, code_write = ports.streams.history, ports.memories.code_write
    stored_in, stored_out = Stream(ROWS * CODE_BITS), Stream(ROWS * CODE_BITS)
    stored_level = dim()
    stored_codes, codes = word(ROWS * CODE_BITS), word(ROWS * CODE_BITS)
    code_valid, compare = flag(), flag()
    code_index = address()
    store = stream_fifo(
        clk=clk, aresetn=aresetn, src=stored_in, dst=stored_out, level=stored_level, depth=HISTORY_DEPTH
    )

    @always_comb
    def meet_codes():
        stored_in.tdata.next = history.tdata
        stored_in.tvalid.next = control.fire and mode.with_history
        history.tready.next = control.fire and mode.with_history
        ports.events.history_word.next = control.fire and mode.with_history
        stored_out.tready.next = modulated.valid and mode.with_history
        stored_codes.next = 0
        if mode.with_history:
            stored_codes.next = stored_out.tdata

    @always_comb
    def enable_compare():
        compare.next = modulated.valid and mode.compares

    ccu = ccu_unit(
        clk=clk, aresetn=aresetn, src_valid=compare, act=modulated.act, b1=header.b1, b2=header.b2, b3=header.b3,
        b4=header.b4, b5=header.b5, b6=header.b6, b7=header.b7, stored=stored_codes, clear=control.clear,
        dst_valid=code_valid, codes=codes, count=count, lanes=ROWS,
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def number_codes():
        if control.start:
            code_index.next = 0
        elif code_valid:
            code_index.next = code_index + 1

    @always_comb
    def write_codes():
        code_write.enable.next = code_valid
        code_write.addr.next = code_index
        code_write.data.next = codes
        ports.events.compared.next = compare

    return store, meet_codes, enable_compare, ccu, number_codes, write_codes


@block
def back_half(clk, aresetn, control, mode, decisions, norm, header, ports, fifo, regs, config):
    """Normalize word by word: drive the LayerNorm's second side, then modulate, quantize, encode and compare.

    control: BackControl. norm: NormStream. ports: PassPorts. fifo: Stream between the halves.
    """
    position, modulated = Position(), ModulatedWord(config)
    walk = walker(
        clk=clk, aresetn=aresetn, restart=control.start, step=control.fire, cond_base=ports.conditioning.base,
        regs=regs, position=position, config=config,
    )  # fmt: skip
    pace = pace_words(
        clk=clk, aresetn=aresetn, control=control, mode=mode, decisions=decisions, norm=norm, fifo=fifo,
        history=ports.streams.history, position=position,
    )  # fmt: skip
    modulate = modulate_words(
        clk=clk, aresetn=aresetn, start=control.start, norm=norm, header=header, ports=ports, modulated=modulated,
        regs=regs, config=config,
    )  # fmt: skip
    compare = compare_words(
        clk=clk, aresetn=aresetn, control=control, mode=mode, modulated=modulated, header=header, ports=ports,
        count=decisions.request.count, config=config,
    )  # fmt: skip
    return walk, pace, modulate, compare
