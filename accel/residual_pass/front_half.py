"""Front half of the streaming pass: read x and branch, add, write x back, feed the FIFO.

A word of a reused branch, or stream, comes through the forecast (``accel/units/reuse.py``); x, gate and a branch of
this timestep are read so much later that they meet it. Gate and branch wait for it in a register, so that no memory
answers into a multiplier.

With ``mode.differs`` the last pass keeps the streams of even contexts, the label's, in x memory, and takes every word
of an odd context, the null class's, in a pair: first the word as ever, a new one of x or a forecast difference, then
the label's word of the same place, which the residual add subtracts from it or adds to it. Of a computed context both
go on: x to the host, the difference to the cache. Of a reused one the sum does. A label's word must be written before
it is read: contexts take ``FEWEST_WORDS`` words or more.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import address, dim, flag, signed, word
from radit.accel.residual_pass.frame_words import frame_words
from radit.accel.residual_pass.walker import Position, walker
from radit.accel.units.delay_lines import delay, delay_chain, gated_delay, gated_register
from radit.accel.units.lanes import part_mux
from radit.accel.units.residual import LATENCY as RESIDUAL_LATENCY
from radit.accel.units.residual import residual_unit
from radit.accel.units.reuse import LATENCY as REUSE_LATENCY
from radit.accel.units.reuse import reuse_unit
from radit.model.formats import GATE_BITS, INT8_BITS, X_BITS

FIRE_TO_READ = REUSE_LATENCY - 1  # of x; a memory answers in the cycle after
FIRE_TO_FACTORS = FIRE_TO_READ - 1  # of branch and gate: a register between their memories and the multiplier
FIRE_TO_SUM = REUSE_LATENCY + RESIDUAL_LATENCY
TILES_AHEAD = 2  # whose statistics form or wait
# Of a context under ``mode.differs``: its first word is read again, in a pair, in the cycle after it is written.
FEWEST_WORDS = FIRE_TO_SUM - FIRE_TO_READ


class TakenWord:
    """The word that starts its way through the front half; driven by ``take_words``.

    fire: flag, it does in this cycle. position: Position, where it lies.
    cached: flag, its branch, or x itself, comes from the cache; forecast: flag, as a forecast.
    unchanged: flag, x passes through as it is.
    paired: flag, it is one of a pair, the second one with ``second`` high. steps: flag, with ``fire``, no other of its
    place follows. goes_on: flag, it enters the FIFO. x_addr: address, of its x. Driven by ``pair_words``.
    """

    def __init__(self) -> None:
        self.fire = flag()
        self.position = Position()
        self.cached = flag()
        self.forecast = flag()
        self.unchanged = flag()
        self.paired = flag()
        self.second = flag()
        self.steps = flag()
        self.goes_on = flag()
        self.x_addr = address()


class Operands:
    """What meets at the residual add, each beside its word.

    valid: flag; the other flags hold until the next word. x_host: R x 16 bit, x from the host. tile_ends: flag, the row
    tile's last word. branch: R x 8 bit, of this timestep; gate: 16 bit. Driven by ``read_operands``.
    cached: flag, the branch comes from the cache. x_cached: flag, x does. x_kept: flag, x comes from x memory.
    uses_branch: flag, there is one to add. joins: flag, x joins the word before it, a pair's first; subtracts: flag, it
    is subtracted. paired, goes_on: as in ``TakenWord``. Driven by ``read_operands``.
    forecast_x: R x 16 bit, forecast_branch: R x 8 bit, what the cache and the forecast give; driven by ``reuse_unit``.
    """

    def __init__(self, config) -> None:
        self.valid = flag()
        self.x_host = word(config.rows * X_BITS)
        self.branch = word(config.rows * INT8_BITS)
        self.gate = signed(GATE_BITS)
        self.tile_ends = flag()
        self.cached = flag()
        self.x_cached = flag()
        self.x_kept = flag()
        self.uses_branch = flag()
        self.paired = flag()
        self.goes_on = flag()
        self.joins = flag()
        self.subtracts = flag()
        self.forecast_x = word(config.rows * X_BITS)
        self.forecast_branch = word(config.rows * INT8_BITS)


@block
def pair_words(clk, aresetn, progress, mode, taken, regs):
    """Which words are taken twice, what of a pair goes on, and where its x lies."""
    position, alone = taken.position, flag()

    @always_comb
    def find_pair():
        alone.next = not (mode.differs and progress.last_pass and position.context[0])

    @always_comb
    def follow_pair():
        taken.paired.next = not alone
        taken.steps.next = taken.fire and (alone or taken.second)
        taken.goes_on.next = alone or taken.second or not taken.cached
        taken.x_addr.next = position.row_addr
        if taken.second:
            taken.x_addr.next = position.row_addr - regs.row_tiles

    @always_seq(clk.posedge, reset=aresetn)
    def turn_pair():
        if taken.fire:
            taken.second.next = not alone and not taken.second

    return find_pair, follow_pair, turn_pair


@block
def take_words(clk, aresetn, start, progress, mode, reuses, ports, handover, taken, regs, config):
    """Take a word in every cycle in which it is there and has room: at most ``TILES_AHEAD`` tiles ahead of the
    normalization, and no more words than the FIFO holds. With ``mode.stream_scope`` a reused context's x comes from
    the cache in the last pass, and passes through the others."""
    CONTEXTS, CREDIT, AHEAD = config.max_contexts, config.fifo_credit, TILES_AHEAD
    position, streams = taken.position, ports.streams
    running, tile_ok, x_ok, branch_ok = (flag() for _ in range(4))
    ahead = word(bits_for(TILES_AHEAD + 1))
    in_fifo = dim()
    walk = walker(
        clk=clk, aresetn=aresetn, restart=start, step=taken.steps, cond_base=ports.conditioning.base, regs=regs,
        position=position, config=config,
    )  # fmt: skip

    @always_comb
    def find_source():
        taken.cached.next = 0
        taken.forecast.next = 0
        taken.unchanged.next = 0
        for i in range(CONTEXTS):
            if position.context == i and not progress.first_pass:
                if taken.second:
                    taken.unchanged.next = 1
                elif mode.stream_scope and not progress.last_pass:
                    taken.unchanged.next = reuses.contexts[i]
                else:
                    taken.cached.next = reuses.contexts[i]
                    taken.forecast.next = reuses.forecasts[i]
        reuses.front_context.next = position.context
        tile_ok.next = not position.first_channel or ahead < AHEAD or not handover.normalizes
        x_ok.next = not progress.first_pass or streams.x_in.tvalid

    @always_comb
    def check_branch():
        branch_ok.next = (not taken.cached or streams.latest.tvalid) and (not taken.forecast or streams.before.tvalid)

    @always_comb
    def fire_word():
        taken.fire.next = running and tile_ok and x_ok and branch_ok and in_fifo < CREDIT
        handover.lacks_words.next = running and tile_ok and in_fifo < CREDIT and not (x_ok and branch_ok)

    @always_seq(clk.posedge, reset=aresetn)
    def count_ahead():
        if start:
            running.next = 1
        elif taken.steps and position.last:
            running.next = 0
        if start:
            ahead.next = 0
        elif taken.fire and position.first_channel and handover.normalizes:
            if not ports.events.tile_normalized:
                ahead.next = ahead + 1
        elif ports.events.tile_normalized:
            ahead.next = ahead - 1
        if taken.fire and taken.goes_on and not handover.popped:
            in_fifo.next = in_fifo + 1
        elif handover.popped and not (taken.fire and taken.goes_on):
            in_fifo.next = in_fifo - 1

    return walk, find_source, check_branch, fire_word, count_ahead


@block
def read_operands(clk, aresetn, progress, mode, taken, ports, operands, config):
    """Read x, branch and gate so long after ``taken`` that they meet the forecast of the same word."""
    position, memories, x_in = taken.position, ports.memories, ports.streams.x_in
    fires = [taken.fire, *(flag() for _ in range(FIRE_TO_READ))]
    ahead = fires[:FIRE_TO_READ]
    read, cached, x_cached, second = fires[FIRE_TO_READ], flag(), flag(), flag()
    factors = read_factors(
        clk=clk, progress=progress, mode=mode, fires=fires, taken=taken, ports=ports, operands=operands, config=config
    )
    delayed = (
        delay_chain(clk=clk, chain=fires),
        gated_delay(clk=clk, valids=ahead, src=taken.cached, dst=cached),
        gated_delay(clk=clk, valids=ahead, src=taken.second, dst=second),
        gated_delay(clk=clk, valids=ahead, src=taken.x_addr, dst=memories.x_read.addr),
    )
    met = (
        gated_delay(clk=clk, valids=fires, src=position.last_channel, dst=operands.tile_ends),
        gated_delay(clk=clk, valids=fires, src=taken.paired, dst=operands.paired),
        gated_delay(clk=clk, valids=fires, src=taken.goes_on, dst=operands.goes_on),
        gated_delay(clk=clk, valids=fires, src=x_in.tdata, dst=operands.x_host),
    )

    @always_comb
    def find_cached_x():
        x_cached.next = mode.stream_scope and cached

    @always_comb
    def enable_read():
        memories.x_read.enable.next = read and not progress.first_pass and not x_cached

    @always_seq(clk.posedge, reset=aresetn)
    def keep_sources():
        operands.valid.next = read
        if read:
            operands.cached.next = cached
            operands.x_cached.next = x_cached
            operands.x_kept.next = not progress.first_pass
            operands.joins.next = second
            operands.subtracts.next = second and not operands.x_cached  # that of the pair's first

    return factors, delayed, met, find_cached_x, enable_read, keep_sources


@block
def read_factors(clk, progress, mode, fires, taken, ports, operands, config):
    """Read branch and gate a cycle before x, and keep them beside it. fires: ``taken.fire``, later and later."""
    PARTS, BITS = config.wide // config.rows, config.rows * INT8_BITS
    position, a_read, gate = taken.position, ports.memories.a_read, ports.conditioning.gate
    soon, read, keep = fires[:FIRE_TO_FACTORS], fires[FIRE_TO_FACTORS], fires[FIRE_TO_READ]
    cached, unchanged, uses, has_gate, has_branch, own = (flag() for _ in range(6))
    part, found = dim(), word(BITS)
    delayed = (
        gated_delay(clk=clk, valids=soon, src=taken.cached, dst=cached),
        gated_delay(clk=clk, valids=soon, src=taken.unchanged, dst=unchanged),
        gated_delay(clk=clk, valids=soon, src=position.super_addr, dst=a_read.addr),
        gated_delay(clk=clk, valids=soon, src=position.cond_addr, dst=gate.addr),
        gated_delay(clk=clk, valids=fires[:FIRE_TO_READ], src=position.part, dst=part),
        gated_register(clk=clk, enable=read, src=uses, dst=has_gate),
        gated_register(clk=clk, enable=read, src=own, dst=has_branch),
    )
    pick = part_mux(joined=a_read.data, part=part, dst=found, parts=PARTS, bits=BITS)

    @always_comb
    def find_uses():
        uses.next = not progress.first_pass and not unchanged and not (mode.stream_scope and cached)
        own.next = not progress.first_pass and not unchanged and not cached

    @always_comb
    def enable_reads():
        a_read.enable.next = read and own
        gate.enable.next = read and uses

    @always(clk.posedge)
    def keep_factors():
        if keep:
            operands.uses_branch.next = has_gate
            if has_gate:
                operands.gate.next = gate.data.signed()
            if has_branch:
                operands.branch.next = found

    return delayed, pick, find_uses, enable_reads, keep_factors


@block
def add_branch(clk, progress, mode, header, operands, ports, handover, offset, config):
    """``x + gate * branch`` of the operands that meet, or what two contexts make; into x memory, and on to the FIFO.
    offset: what is added beside a branch, 16 bit; None: nothing."""
    ROWS = config.rows
    memories = ports.memories
    x_old, x_new, branch = word(ROWS * X_BITS), word(ROWS * X_BITS), word(ROWS * INT8_BITS)
    valid, saturated, goes_on, is_x, kept = (flag() for _ in range(5))
    to_keep, of_x = flag(), flag()

    @always_comb
    def pick_operands():
        if operands.x_cached:
            x_old.next = operands.forecast_x
        elif operands.x_kept:
            x_old.next = memories.x_read.data
        else:
            x_old.next = operands.x_host
        if operands.cached:
            branch.next = operands.forecast_branch
        else:
            branch.next = operands.branch

    add = residual_unit(
        clk=clk, src_valid=operands.valid, x=x_old, branch=branch, use_branch=operands.uses_branch,
        joins=operands.joins, subtracts=operands.subtracts, gate=operands.gate, gate_shift=header.gate_shift,
        dst_valid=valid, dst=x_new, saturated=saturated, lanes=ROWS, offset=offset,
    )  # fmt: skip

    @always_comb
    def name_word():
        of_x.next = operands.goes_on and not operands.subtracts
        to_keep.next = not progress.last_pass or (mode.differs and not operands.paired)

    beside = (
        delay(clk=clk, src=memories.x_read.addr, dst=memories.x_write.addr, cycles=RESIDUAL_LATENCY + 1),
        delay(clk=clk, src=operands.goes_on, dst=goes_on, cycles=RESIDUAL_LATENCY),
        delay(clk=clk, src=of_x, dst=is_x, cycles=RESIDUAL_LATENCY),
        delay(clk=clk, src=to_keep, dst=kept, cycles=RESIDUAL_LATENCY),
        delay(clk=clk, src=operands.tile_ends, dst=handover.tile_ends, cycles=RESIDUAL_LATENCY),
    )

    @always_comb
    def hand_on():
        memories.x_write.enable.next = valid and kept
        memories.x_write.data.next = x_new
        handover.summed.tdata.next = x_new
        handover.summed.tvalid.next = valid and goes_on
        ports.events.x_made.next = valid and is_x
        ports.events.added.next = valid
        ports.events.add_saturated.next = valid and saturated

    return pick_operands, add, name_word, beside, hand_on


@block
def front_half(clk, aresetn, start, progress, mode, reuses, header, ports, handover, regs, config):
    """Read x and branch, add, write x back and feed the FIFO. start: pulse. ports: PassPorts."""
    streams = ports.streams
    taken, operands = TakenWord(), Operands(config)
    takes_cached, forecast_valid = flag(), flag()
    take = take_words(
        clk=clk, aresetn=aresetn, start=start, progress=progress, mode=mode, reuses=reuses, ports=ports,
        handover=handover, taken=taken, regs=regs, config=config,
    )  # fmt: skip
    pair = pair_words(clk=clk, aresetn=aresetn, progress=progress, mode=mode, taken=taken, regs=regs)
    read = read_operands(
        clk=clk, aresetn=aresetn, progress=progress, mode=mode, taken=taken, ports=ports, operands=operands,
        config=config,
    )  # fmt: skip

    @always_comb
    def accept_streams():
        streams.x_in.tready.next = taken.fire and progress.first_pass
        streams.latest.tready.next = taken.fire and taken.cached
        streams.before.tready.next = taken.fire and taken.forecast
        handover.takes_word.next = taken.fire
        ports.events.x_in_word.next = taken.fire and progress.first_pass

    @always_comb
    def take_cached():
        takes_cached.next = taken.fire and taken.cached

    extrapolate = reuse_unit(
        clk=clk, src_valid=takes_cached, latest=streams.latest.tdata, previous=streams.before.tdata,
        slope=reuses.slope, is_stream=mode.stream_scope, dst_valid=forecast_valid, stream=operands.forecast_x,
        branch=operands.forecast_branch, lanes=config.rows,
    )  # fmt: skip
    offset, frames = None, ()
    if config.max_frames:
        offset = signed(X_BITS)
        frames = frame_words(
            clk=clk, aresetn=aresetn, start=start, taken=taken, header=header, ports=ports, offset=offset, regs=regs,
            cycles=FIRE_TO_FACTORS,
        )  # fmt: skip
    add = add_branch(
        clk=clk, progress=progress, mode=mode, header=header, operands=operands, ports=ports, handover=handover,
        offset=offset, config=config,
    )  # fmt: skip
    return take, pair, read, accept_streams, take_cached, extrapolate, frames, add
