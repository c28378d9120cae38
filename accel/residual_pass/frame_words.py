"""The frame embedding in the order of the pass: for each word of x one value, which all its lanes add.

A word's tokens are of one frame, since frames are whole supertiles. A word of the embedding's memory holds
``FRAME_CHANNELS`` channels of a frame: it is read with the first of them, and stands for the others.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.config import FRAME_CHANNELS, log2_exact
from radit.accel.interfaces.signals import address, flag, word
from radit.accel.units.delay_lines import delay_chain, gated_delay
from radit.model.formats import X_BITS


@block
def walk_frames(clk, aresetn, restart, step, position, place, regs):
    """``place``: address, frame * D + channel, of the word that the next ``step`` takes. position: Position of it."""
    tiles_left, first, following = address(), address(), address()

    @always_comb
    def look_ahead():
        following.next = first + regs.hidden

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if restart or (step and position.last_of_context):
            place.next = 0
            first.next = 0
            tiles_left.next = regs.frame_row_tiles
        elif step:
            if not position.last_channel:
                place.next = place + 1
            elif tiles_left == 1:
                place.next = following
                first.next = following
                tiles_left.next = regs.frame_row_tiles
            else:
                place.next = first
                tiles_left.next = tiles_left - 1

    return look_ahead, advance


@block
def frame_words(clk, aresetn, start, taken, header, ports, offset, regs, cycles):
    """``offset``: 16 bit, signed, beside the gate, kept, of the word that was taken ``cycles`` + 2 cycles ago; 0 in
    passes that do not add the embedding.

    start: flag, the pass starts. taken: TakenWord. ports: PassPorts, of which the gate's read comes ``cycles`` after
    the word is taken.
    """
    LOW = log2_exact(FRAME_CHANNELS)
    W = X_BITS
    gate, frame = ports.conditioning.gate, ports.conditioning.frame
    fires = [taken.fire, *(flag() for _ in range(cycles - 1))]
    place, read_place = address(), address()
    part, first_part = word(LOW), word(LOW)
    walk = walk_frames(
        clk=clk, aresetn=aresetn, restart=start, step=taken.steps, position=taken.position, place=place, regs=regs
    )
    delayed = (
        delay_chain(clk=clk, chain=fires),
        gated_delay(clk=clk, valids=fires, src=place, dst=read_place),
    )

    @always_comb
    def split_place():
        first_part.next = read_place[LOW:]

    @always_comb
    def read_frame():
        frame.enable.next = gate.enable and header.frames and first_part == 0
        frame.addr.next = read_place >> LOW

    @always_seq(clk.posedge, reset=aresetn)
    def keep_part():
        if gate.enable:
            part.next = first_part

    @always(clk.posedge)
    def keep_channel():
        offset.next = 0
        if header.frames:
            if part == 0:
                offset.next = frame.data[W:].signed()
            elif part == 1:
                offset.next = frame.data[2 * W : W].signed()
            elif part == 2:
                offset.next = frame.data[3 * W : 2 * W].signed()
            else:
                offset.next = frame.data[4 * W : 3 * W].signed()

    return walk, delayed, split_place, read_frame, keep_part, keep_channel
