"""Output-stationary int8 multiply-accumulate array with double-buffered sums.

``a int8 x b int8 -*-> Q15.0 -+-> acc Q31.0 (32 bit, wraps beyond K = 2**17)``, no rounding: exact.

Shapes: ``rows_word`` R lanes of int8 and ``cols_word`` C lanes of int8, both of the same k; every cycle with
``enable`` does R x C multiply-accumulates, ``acc[r][c] = (0 if first else acc[r][c]) + a[r] * b[c]``.
With two products a cell and cycle does the k of an even and of an odd channel, whose words stand one above the other:
``acc[r][c] = (0 if first else acc[r][c]) + a[r] * b[c] + a[R + r] * b[C + c]``; whoever has one k alone sets the other
operand to zero.

``finish`` accompanies the last k of a tile. One cycle after that accumulation the sums are copied to the drain
registers, so the next tile may start in the very next cycle, also when K = 1 (``first`` and ``finish`` together).

Drain: ``drained`` holds, ``DRAIN_LATENCY`` after ``drain_col``, the R sums of that column (lane r = row r). With
``enable & finish`` in cycle t, ``drain_col`` may be presented from cycle ``t + FINISH_TO_DRAIN`` up to and
including the cycle ``t' + FINISH_TO_DRAIN - 1``, where t' is the cycle of the next tile's ``enable & finish``.

Throughput: one k per cycle, no back-pressure: a low ``enable`` freezes the sums and nothing toggles.
One block per row with an inner loop over the columns: each row owns its list of accumulators and all rows read the
one list of column operands. This is the form that Verilator turns into the fastest code, as long as it unrolls the
inner loop: beyond 64 columns give it ``--unroll-count 256`` (left rolled, the array is 15 times slower).
"""

from myhdl import Signal, always, block

from radit.accel.interfaces.signals import signed, word
from radit.accel.units.lanes import pack, signal_list, unpack
from radit.model.formats import ACC_BITS, INT8_BITS

FINISH_TO_DRAIN = 2  # from the cycle of enable & finish to the first cycle that may present drain_col
DRAIN_LATENCY = 1  # from drain_col to drained


@block
def mac_row(clk, enable, first, copy, left, top, drain_col, drained, left_odd=None, top_odd=None):
    """One row: ``left`` its operand, ``top`` the list of column operands, ``drained`` the selected sum.

    left_odd, top_odd: those of a second product, if there is one.
    """
    COLS, BITS = len(top), ACC_BITS
    acc = signal_list(signed, ACC_BITS, COLS)
    held = signal_list(signed, ACC_BITS, COLS)
    if left_odd is None:
        sums = accumulate_one(clk=clk, enable=enable, first=first, left=left, top=top, acc=acc)
    else:
        sums = accumulate_two(
            clk=clk, enable=enable, first=first, left=left, top=top, left_odd=left_odd, top_odd=top_odd, acc=acc
        )

    @always(clk.posedge)
    def hold():
        if copy:
            for c in range(COLS):
                held[c].next = acc[c]

    @always(clk.posedge)
    def drain():
        drained.next = held[drain_col][BITS:]

    return sums, hold, drain


@block
def accumulate_one(clk, enable, first, left, top, acc):
    """One product per cell."""
    COLS = len(top)

    @always(clk.posedge)
    def accumulate():
        if enable:
            if first:
                for c in range(COLS):
                    acc[c].next = left * top[c]
            else:
                for c in range(COLS):
                    acc[c].next = acc[c] + left * top[c]

    return accumulate


@block
def accumulate_two(clk, enable, first, left, top, left_odd, top_odd, acc):
    """Two products per cell."""
    COLS = len(top)

    @always(clk.posedge)
    def accumulate():
        if enable:
            if first:
                for c in range(COLS):
                    acc[c].next = left * top[c] + left_odd * top_odd[c]
            else:
                for c in range(COLS):
                    acc[c].next = acc[c] + left * top[c] + left_odd * top_odd[c]

    return accumulate


@block
def mac_array(clk, enable, first, finish, rows_word, cols_word, drain_col, drained, rows, cols, products=1):
    """R x C cells: see the module's docstring for the contract."""
    lefts, tops = ([signal_list(signed, INT8_BITS, lanes) for _ in range(products)] for lanes in (rows, cols))
    sums = signal_list(word, ACC_BITS, rows)
    copy = Signal(bool(0))

    left_lanes = unpack(rows_word, [lane for lanes in lefts for lane in lanes], signed=True)
    top_lanes = unpack(cols_word, [lane for lanes in tops for lane in lanes], signed=True)
    seconds = [{"left_odd": odd, "top_odd": tops[1]} for odd in lefts[1]] if products == 2 else [{}] * rows
    array = [
        mac_row(clk, enable, first, copy, lefts[0][r], tops[0], drain_col, sums[r], **seconds[r]) for r in range(rows)
    ]
    joined = pack(sums, drained)

    @always(clk.posedge)
    def finishing():
        copy.next = enable and finish

    return left_lanes, top_lanes, array, joined, finishing
