"""The streaming pass between two sub-blocks, at one word (R tokens of one channel) per cycle.

``x (memory or host) + gate * branch (A memory, forecast from the branch cache, or none) -> x -> FIFO -> LayerNorm ->
modulate -> int8 into A memory, Q9.6 into the CCU``. The front half reads and adds; the FIFO holds a tile while its
statistics form; the back half normalizes, one tile behind. Between contexts the back half waits for the decision.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.interfaces.pass_ports import Handover, NormStream
from radit.accel.interfaces.signals import address, dim, flag
from radit.accel.interfaces.streams import Stream
from radit.accel.residual_pass.back_half import BackControl, back_half
from radit.accel.residual_pass.front_half import front_half
from radit.accel.units.fifo import stream_fifo
from radit.accel.units.layernorm import layernorm_unit
from radit.model.formats import X_BITS


@block
def route_words(control, back, progress, handover, ports, fifo_in, fifo_out, norm, activity):
    """What goes through the FIFO and where it leaves: to the LayerNorm, in the last pass to the host. A pass that only
    adds leaves it out. control: PassControl. back: BackControl."""
    streams, events = ports.streams, ports.events

    @always_comb
    def feed_fifo():
        handover.normalizes.next = not progress.last_pass and not progress.adds_only
        fifo_in.tdata.next = handover.summed.tdata
        fifo_in.tvalid.next = handover.summed.tvalid and not progress.adds_only
        back.start.next = control.start and not progress.last_pass and not progress.adds_only
        streams.x_out.tdata.next = fifo_out.tdata
        streams.x_out.tvalid.next = fifo_out.tvalid and progress.last_pass
        events.x_out_word.next = fifo_out.tvalid and progress.last_pass and streams.x_out.tready and not streams.x_aside

    @always_comb
    def empty_fifo():
        if progress.last_pass:
            fifo_out.tready.next = streams.x_out.tready
        else:
            fifo_out.tready.next = norm.take

    @always_comb
    def watch_fifo():
        handover.popped.next = (fifo_out.tvalid and fifo_out.tready) or (progress.adds_only and handover.summed.tvalid)
        events.fifo_write.next = handover.summed.tvalid and not progress.adds_only
        events.fifo_read.next = fifo_out.tvalid and fifo_out.tready

    @always_comb
    def report_activity():
        activity.streams.next = handover.takes_word or handover.popped
        activity.lacks_words.next = handover.lacks_words or back.lacks_words
        activity.normalizes.next = back.works

    return feed_fifo, empty_fifo, watch_fifo, report_activity


@block
def finish_pass(clk, aresetn, control, back, handover, aside, regs):
    """A normalizing pass is over with its back half; one that only adds, when every word is added; the last one, when
    the host has taken every word. control: PassControl. back: BackControl. aside: flag, the word is not for the host.
    """
    words_all, words_left = address(), address()
    words_out = flag()

    @always(clk.posedge)
    def size_pass():  # of registers that have stood still since before START
        words_all.next = regs.sub_block_words * regs.contexts

    @always_seq(clk.posedge, reset=aresetn)
    def count_words():
        words_out.next = 0
        if control.start and not handover.normalizes:
            words_left.next = words_all
        elif not handover.normalizes and handover.popped and not aside:
            words_left.next = words_left - 1
            words_out.next = words_left == 1

    @always_comb
    def finish():
        control.done.next = back.done or words_out

    return size_pass, count_words, finish


@block
def residual_pass(clk, aresetn, control, progress, mode, decisions, header, ports, activity, regs, config):
    """The whole pass. control: PassControl. ports: PassPorts. activity: what the pass is doing."""
    handover, norm, back = Handover(config), NormStream(config), BackControl()
    fifo_in, fifo_out = Stream(config.rows * X_BITS), Stream(config.rows * X_BITS)
    level = dim()
    stat_valid, norm_saturated = flag(), flag()
    front_words = front_half(
        clk=clk, aresetn=aresetn, start=control.start, progress=progress, mode=mode, reuses=decisions.reuses,
        header=header, ports=ports, handover=handover, regs=regs, config=config,
    )  # fmt: skip
    routes = route_words(
        control=control, back=back, progress=progress, handover=handover, ports=ports, fifo_in=fifo_in,
        fifo_out=fifo_out, norm=norm, activity=activity,
    )  # fmt: skip
    queue = stream_fifo(clk=clk, aresetn=aresetn, src=fifo_in, dst=fifo_out, level=level, depth=config.fifo_depth)

    @always_comb
    def join_norm():
        stat_valid.next = handover.summed.tvalid and handover.normalizes
        ports.events.norm_saturated.next = norm.valid and norm_saturated

    layer_norm = layernorm_unit(
        clk=clk, aresetn=aresetn, hidden=regs.hidden, eps=header.eps, stat_valid=stat_valid, stat_x=fifo_in.tdata,
        stat_last=handover.tile_ends, tile_ready=norm.tile_ready, norm_valid=norm.take, norm_x=fifo_out.tdata,
        norm_last=norm.last, dst_valid=norm.valid, dst=norm.data, saturated=norm_saturated,
        moved=ports.events.tile_normalized, lanes=config.rows, bypass=header.bypass if config.max_text else None,
    )  # fmt: skip
    back_words = back_half(
        clk=clk, aresetn=aresetn, control=back, mode=mode, decisions=decisions, norm=norm, header=header, ports=ports,
        fifo=fifo_out, regs=regs, config=config,
    )  # fmt: skip
    ending = finish_pass(
        clk=clk, aresetn=aresetn, control=control, back=back, handover=handover, aside=ports.streams.x_aside, regs=regs
    )
    return front_words, routes, queue, join_norm, layer_norm, back_words, ending
