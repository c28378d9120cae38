"""The compute core: tile commands in, words in the on-chip memories out.

``array_front`` (array) -> ``drain_unit`` (requantize, GELU) -> hidden | K | V | A memory, or the softmax unit, whose
numerators return through the probability memory. Wiring, and the routing of writes.
"""

from myhdl import always_comb, block

from radit.accel.array.array_front import array_front
from radit.accel.array.drain import drain_unit
from radit.accel.array.score_softmax import score_softmax
from radit.accel.config import bits_for
from radit.accel.interfaces.array_ports import ColumnPort, TokenScales
from radit.accel.interfaces.memory_ports import WritePort
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.tile_command import KIND_BRANCH, KIND_K, KIND_O, KIND_Q, KIND_V
from radit.accel.memory.a_memory import share_write
from radit.accel.memory.on_chip import hidden_memory, narrow_memory, wide_memory
from radit.accel.memory.pairs import pair_hidden_memory, pair_narrow_memory, pair_wide_memory
from radit.model.formats import INT8_BITS


class CoreWrites:
    """What the drain writes inside the core.

    Signals, all of them from ``route_writes``:
        hidden, keys, values: WritePorts of R int8.
        placed: 1 bit, the word for the hidden memory is O, whose lanes may lie in several frames.
    """

    def __init__(self, config) -> None:
        self.hidden, self.keys, self.values = (WritePort(config.rows * INT8_BITS) for _ in range(3))
        self.placed = flag()


@block
def compute_core(
    clk, aresetn, restart, control, cmd, inputs, cache_room, results, header, group, monitor, config
):  # fmt: skip
    """Array, drain, softmax and the memories between them.

    restart: pulse at the start of a timestep. control: CoreControl. cmd: TileCommand. inputs: ArrayInputs, of which A
    memory, weight ring and parameters live outside. cache_room: the branch writer can take a whole tile. results:
    ArrayResults. header: SubBlockHeader. group: AttentionGroup. monitor: Monitor.
    """
    columns, scales, writes = ColumnPort(config), TokenScales(config), CoreWrites(config)
    drain_idle, front_busy = flag(), flag()
    front = array_front(
        clk=clk, aresetn=aresetn, restart=restart, cmd=cmd, inputs=inputs, cache_room=cache_room,
        finish=results.finish, columns=columns, busy=front_busy, monitor=monitor, config=config,
    )  # fmt: skip
    drain = drain_unit(
        clk=clk, aresetn=aresetn, finish=results.finish, columns=columns, params=inputs.params.read, idle=drain_idle,
        header=header, scales=scales, drained=results.drained, config=config,
    )  # fmt: skip
    routes = route_writes(drained=results.drained, inputs=inputs, writes=writes, branch=results.branch, config=config)
    softmax = score_softmax(
        clk=clk, aresetn=aresetn, control=control, drained=results.drained, numerators=results.numerators,
        scales=scales, header=header, group=group, events=monitor.events, config=config,
    )  # fmt: skip
    make = core_memories if config.products == 1 else paired_memories
    memories = make(
        clk=clk, operands=inputs.operands, writes=writes, numerators=results.numerators, a_tile=results.drained.a_tile,
        group=group, config=config,
    )  # fmt: skip
    events = core_events(inputs=inputs, writes=writes, drained=results.drained, events=monitor.events)

    @always_comb
    def drive_quiet():
        control.quiet.next = drain_idle and not front_busy

    return front, drain, routes, softmax, memories, events, drive_quiet


@block
def route_writes(drained, inputs, writes, branch, config):
    """Send each requantized word to its memory, and the prompt's. branch: WritePort of A memory. Combinational."""
    hidden, keys, values = writes.hidden, writes.keys, writes.values
    prompts = ()
    if config.max_text:
        keys, values = (WritePort(config.rows * INT8_BITS) for _ in range(2))
        prompts = (
            share_write(passing=inputs.keys.enable, pass_write=inputs.keys, branch=keys, write=writes.keys),
            share_write(passing=inputs.values.enable, pass_write=inputs.values, branch=values, write=writes.values),
        )

    @always_comb
    def drive_hidden():
        writes.placed.next = drained.kind == KIND_O and drained.valid
        hidden.enable.next = drained.gelu_valid or (
            drained.valid and (drained.kind == KIND_Q or drained.kind == KIND_O)
        )
        hidden.part.next = drained.part
        if drained.gelu_valid:
            hidden.addr.next = drained.gelu_addr
            hidden.data.next = drained.gelu
        else:
            hidden.addr.next = drained.addr
            hidden.data.next = drained.narrow

    return (
        prompts,
        drive_hidden,
        route_kind(drained=drained, kind=KIND_K, write=keys),
        route_kind(drained=drained, kind=KIND_V, write=values),
        route_kind(drained=drained, kind=KIND_BRANCH, write=branch),
    )


@block
def route_kind(drained, kind, write):
    """``write``: the words of one kind."""
    KIND = kind

    @always_comb
    def drive_write():
        write.enable.next = drained.valid and drained.kind == KIND
        write.addr.next = drained.addr
        write.part.next = drained.part
        write.data.next = drained.narrow

    return drive_write


@block
def core_memories(clk, operands, writes, numerators, a_tile, group, config):
    """Hidden, K, V and probability memory.

    operands: OperandPorts, whose reads they answer. writes: CoreWrites. numerators: WritePort. a_tile: of the word for
    the hidden memory.
    """
    K_BITS, V_BITS = bits_for(config.k_depth), bits_for(config.v_depth)
    k_address, v_address = word(K_BITS), word(V_BITS)

    @always_comb
    def drive_addresses():
        k_address.next = operands.k.addr[K_BITS:]
        v_address.next = operands.v.addr[V_BITS:]

    return (
        drive_addresses,
        hidden_memory(
            clk=clk, write=writes.hidden, placed=writes.placed, tile=a_tile, group=group, read=operands.hidden,
            config=config,
        ),
        wide_memory(
            clk=clk, write=writes.keys, read_enable=operands.k.enable, raddr=k_address, rdata=operands.k.data,
            depth=config.k_depth, bank=config.part, config=config,
        ),
        wide_memory(
            clk=clk, write=writes.values, read_enable=operands.v.enable, raddr=v_address, rdata=operands.v.data,
            depth=config.v_depth, bank=config.part, config=config,
        ),
        narrow_memory(clk=clk, write=numerators, read=operands.prob, depth=config.job_depth),
    )  # fmt: skip


@block
def paired_memories(clk, operands, writes, numerators, a_tile, group, config):
    """The same memories, read in pairs. The arguments are those of ``core_memories``."""
    keys, values = writes.keys, writes.values
    return (
        pair_hidden_memory(
            clk=clk, write=writes.hidden, placed=writes.placed, tile=a_tile, group=group, read=operands.hidden,
            config=config,
        ),
        pair_wide_memory(
            clk=clk, write=keys, read=operands.k, depth=2 * config.half.k_depth, bank=config.part, config=config
        ),
        pair_wide_memory(
            clk=clk, write=values, read=operands.v, depth=config.v_depth, bank=config.part, config=config
        ),
        pair_narrow_memory(clk=clk, write=numerators, read=operands.prob, depth=config.job_depth),
    )  # fmt: skip


@block
def core_events(inputs, writes, drained, events):
    """Count what the drain delivers, and the accesses to memories."""
    operands = inputs.operands

    @always_comb
    def drive_units():
        events.requant_words.next = drained.valid or drained.gelu_valid
        events.gelu_words.next = drained.gelu_valid
        events.gelu_saturations.next = drained.gelu_enters and drained.saturated > 0

    @always_comb
    def drive_accesses():
        events.hidden_reads.next = operands.hidden.enable
        events.hidden_writes.next = writes.hidden.enable
        events.k_reads.next = operands.k.enable
        events.k_writes.next = writes.keys.enable
        events.v_reads.next = operands.v.enable
        events.v_writes.next = writes.values.enable
        events.prob_reads.next = operands.prob.enable
        events.weight_reads.next = inputs.weights.read.enable
        events.param_reads.next = inputs.params.read.enable

    return drive_units, drive_accesses
