"""What a skipped sub-block gives to the residual add: order 0, the cached branch itself.

``cached int8 -> int8``, R lanes a word. A forecast from several cached branches takes this unit's place
between the branch cache and the gate.

Latency: ``LATENCY`` cycles, one word per cycle, no back-pressure. Rounding: none. Valid range: every int8.
Source: golden ``model/ops/reuse.py``.
"""

from myhdl import always, block

LATENCY = 1


@block
def reuse_unit(clk, src_valid, cached, dst_valid, branch):
    """cached (R x 8 bit, lane 0 lowest) -> branch of the same shape."""

    @always(clk.posedge)
    def forward():
        dst_valid.next = src_valid
        if src_valid:
            branch.next = cached

    return forward
