"""Which events are counted: transfers at the ports, and what the parts of the machine do in a cycle."""

from myhdl import always_comb, block

from radit.accel.interfaces.signals import flag


@block
def count_events(host, streaming_pass, ports, channels, decision, header, events, config):
    """Drive the events that no unit reports by itself. Combinational.

    streaming_pass: PassControl. ports: PassPorts. channels: MemoryChannels.
    """
    memories, done = ports.memories, ports.events
    tiles = done.tile_normalized
    texts, frames = (), ()
    if config.max_frames:
        frames = count_frames(reads=ports.conditioning, events=events)
    if config.max_text:
        tiles = flag()
        texts = count_text(ports=ports, channels=channels, header=header, tiles=tiles, events=events)

    @always_comb
    def count_transfers():
        events.weight_writes.next = channels.weight.moves
        events.mod_writes.next = channels.conditioning.moves
        events.param_writes.next = channels.params.moves
        events.cache_reads.next = channels.cache_latest.moves
        events.slope_reads.next = channels.cache_before.moves
        events.cache_writes.next = channels.cache_write.moves
        events.history_reads.next = done.history_word
        events.x_in_words.next = done.x_in_word
        events.x_out_words.next = done.x_out_word

    @always_comb
    def count_accesses():
        events.x_reads.next = memories.x_read.enable
        events.x_writes.next = memories.x_write.enable
        events.fifo_reads.next = done.fifo_read
        events.fifo_writes.next = done.fifo_write
        events.gate_reads.next = ports.conditioning.gate.enable
        events.modulation_reads.next = ports.conditioning.modulation.enable
        events.code_writes.next = memories.code_write.enable

    @always_comb
    def count_work():
        events.cycles.next = host.running
        events.pass_cycles.next = streaming_pass.running
        events.residual_words.next = done.added
        events.norm_words.next = memories.a_write.enable
        events.rsqrt_tiles.next = tiles
        events.ccu_words.next = done.compared
        events.dtsm_ops.next = decision.valid
        events.residual_saturations.next = done.add_saturated
        events.norm_saturations.next = done.norm_saturated
        events.modulate_saturations.next = done.modulate_saturated

    return texts, frames, count_transfers, count_accesses, count_work


@block
def count_frames(reads, events):
    """What builds that add a frame embedding count besides. reads: ConditioningReads. Combinational."""

    @always_comb
    def count():
        events.frame_reads.next = reads.frame.enable
        events.frame_writes.next = reads.frame_loads

    return count


@block
def count_text(ports, channels, header, tiles, events):
    """What builds with text count besides. tiles: flag, a row tile is normalized, not only passed on. Combinational."""

    @always_comb
    def count():
        tiles.next = ports.events.tile_normalized and not header.bypass
        events.bypass_words.next = ports.memories.a_write.enable and header.bypass
        events.prompt_words.next = channels.prompt.moves

    return count
