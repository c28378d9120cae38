"""Beats of the bus <-> words of a port.

Several words in a beat, lane 0 lowest, or several beats in a word, the lowest first. One word per cycle, or one beat
where that is less; ``tvalid`` never waits for ``tready``.
"""

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, modbv

from radit.accel.config import bits_for, log2_exact
from radit.accel.interfaces.signals import bit_set, flag, word
from radit.accel.interfaces.streams import LENGTH_BITS
from radit.accel.units.lanes import pack, part_mux


class Run:
    """Words of a command, where a beat has several.

    lane: of the first word; length: words; valid: flag. Driven by the bridge.
    ready: flag, driven by ``pick_lanes``.
    """

    def __init__(self, lanes: int) -> None:
        self.lane = bit_set(bits_for(lanes))
        self.length = word(LENGTH_BITS)
        self.valid = flag()
        self.ready = flag()


@block
def pick_lanes(clk, aresetn, beats, words, run):
    """``words`` from ``beats`` (Streams) of several words; the first and the last beat of a command may be used in
    part. run: Run."""
    BITS, RATIO = len(words.tdata), len(beats.tdata) // len(words.tdata)
    LAST, LANE = RATIO - 1, bits_for(RATIO)
    lane, left = Signal(modbv(0)[LANE:]), word(LENGTH_BITS)
    moves = flag()
    pick = part_mux(joined=beats.tdata, part=lane, dst=words.tdata, parts=RATIO, bits=BITS)

    @always_comb
    def drive():
        words.tvalid.next = beats.tvalid and left != 0
        beats.tready.next = words.tready and left != 0 and (lane == LAST or left == 1)
        run.ready.next = left == 0
        moves.next = beats.tvalid and left != 0 and words.tready

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if left == 0:
            if run.valid:
                lane.next = run.lane
                left.next = run.length
        elif moves:
            lane.next = lane + 1
            left.next = left - 1

    return pick, drive, step


@block
def pass_beats(beats, words):
    """``words`` are ``beats`` (Streams)."""

    @always_comb
    def drive():
        words.tdata.next = beats.tdata
        words.tvalid.next = beats.tvalid
        beats.tready.next = words.tready

    return drive


@block
def gather_beats(clk, aresetn, beats, words):
    """``words`` of several ``beats`` (Streams) each; all but the last wait in a register."""
    BEAT = len(beats.tdata)
    HELD = len(words.tdata) - BEAT
    LAST = HELD // BEAT
    held, place = word(HELD), bit_set(bits_for(LAST + 1))
    joined = ConcatSignal(beats.tdata, held)
    keep = flag()

    @always_comb
    def drive():
        words.tdata.next = joined
        words.tvalid.next = beats.tvalid and place == LAST
        beats.tready.next = place != LAST or words.tready
        keep.next = beats.tvalid and place != LAST

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if keep:
            place.next = place + 1
        elif beats.tvalid and words.tready:
            place.next = 0

    @always(clk.posedge)
    def shift():
        if keep:
            held.next = joined[BEAT + HELD : BEAT]

    return drive, count, shift


@block
def words_to_beats(clk, aresetn, load, span, length, words, beats, idle, lanes):
    """``beats`` from ``words`` (Streams); above a beat's data there is a bit for each of its ``lanes`` words, high
    where a word is to be written.

    load: pulse, while ``idle``: ``length`` words come, which lie in the span. idle: flag, all of them came.
    """
    left = word(LENGTH_BITS)
    takes = flag()
    if lanes == 1:
        ways = spread_word(clk=clk, aresetn=aresetn, left=left, words=words, beats=beats, takes=takes)
    else:
        ways = fill_beat(
            clk=clk, aresetn=aresetn, load=load, span=span, left=left, words=words, beats=beats, takes=takes,
            lanes=lanes,
        )  # fmt: skip

    @always_comb
    def report():
        idle.next = left == 0

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if load:
            left.next = length
        elif takes:
            left.next = left - 1

    return ways, report, count


@block
def spread_word(clk, aresetn, left, words, beats, takes):
    """A word makes one beat or several, all of whose bytes are written."""
    BEAT = len(beats.tdata) - 1
    WORD = len(words.tdata)
    RATIO = WORD // BEAT
    held, unsent = word(WORD), bit_set(bits_for(RATIO + 1))

    @always_comb
    def drive():
        beats.tdata.next[BEAT:] = held[BEAT:]
        beats.tdata.next[BEAT] = 1
        beats.tvalid.next = unsent != 0
        words.tready.next = left != 0 and (unsent == 0 or (unsent == 1 and beats.tready))
        takes.next = words.tvalid and left != 0 and (unsent == 0 or (unsent == 1 and beats.tready))

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if takes:
            unsent.next = RATIO
        elif unsent != 0 and beats.tready:
            unsent.next = unsent - 1

    if RATIO == 1:

        @always(clk.posedge)
        def keep_word():
            if takes:
                held.next = words.tdata

        return drive, count, keep_word

    @always(clk.posedge)
    def shift_word():
        if takes:
            held.next = words.tdata
        elif beats.tready:
            held.next = held[WORD:BEAT]

    return drive, count, shift_word


@block
def fill_beat(clk, aresetn, load, span, left, words, beats, takes, lanes):
    """Several words fill a beat; the first and the last one of a command may be filled in part."""
    BITS = len(words.tdata)
    LAST, DATA, FULL = lanes - 1, lanes * BITS, lanes * BITS + lanes
    lane = Signal(modbv(0)[log2_exact(lanes) :])
    fields, used = [word(BITS) for _ in range(lanes)], bit_set(lanes)
    data = word(DATA)
    full = flag()
    keep = [
        keep_lane(clk=clk, aresetn=aresetn, takes=takes, lane=lane, data=words.tdata, held=fields[i], number=i)
        for i in range(lanes)
    ]
    joined = pack(lanes=fields, joined=data)

    @always_comb
    def drive():
        beats.tdata.next[DATA:] = data
        beats.tdata.next[FULL:DATA] = used
        beats.tvalid.next = full
        words.tready.next = left != 0 and (not full or beats.tready)
        takes.next = words.tvalid and left != 0 and (not full or beats.tready)

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if load:
            lane.next = span.lane
        elif takes:
            lane.next = lane + 1
        if full and beats.tready:
            full.next = 0
            used.next = 0
        if takes:
            used.next[lane] = 1
            if lane == LAST or left == 1:
                full.next = 1

    return keep, joined, drive, step


@block
def keep_lane(clk, aresetn, takes, lane, data, held, number):
    """The word of one lane of a beat; with a reset, so that no lane ever leaves undefined."""
    NUMBER = number

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if takes and lane == NUMBER:
            held.next = data

    return keep
