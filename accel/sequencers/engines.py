"""The engines: everything between the start of a sub-block and its tile commands.

``sub_block_sequencer`` (which product next, barriers) -> ``product_sequencer`` (products with weights) or
``attention_sequencer`` (scores and values) -> tile commands for the compute core.
"""

from myhdl import always_comb, block

from radit.accel.interfaces.array_ports import AttendPort, LinearPort
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.tile_command import command_mux
from radit.accel.sequencers.attention_sequencer import attention_sequencer
from radit.accel.sequencers.product_sequencer import product_sequencer
from radit.accel.sequencers.sub_block_programs import KINDS, SUB_BLOCK_KIND_BITS
from radit.accel.sequencers.sub_block_sequencer import sub_block_sequencer


@block
def engines(clk, aresetn, control, core, progress, computes, group, cmd, activity, regs, config):
    """Compute the sub-block of ``progress`` for the contexts in ``computes``.

    control: TimestepControl. core: CoreControl. progress: Progress. computes: ComputeSet. group: AttentionGroup. cmd:
    TileCommand, to the core. activity: Activity. regs: RegisterValues.
    """
    linear, attend, attends = LinearPort(), AttendPort(), flag()
    kind = word(SUB_BLOCK_KIND_BITS)

    choice = (choose_kind if config.max_text else choose_of_two)(progress=progress, kind=kind)
    sequence = sub_block_sequencer(
        clk=clk, aresetn=aresetn, control=control.engine, prompt=control.prompt, kind=kind, linear=linear,
        attend=attend, attends=attends, core=core, activity=activity, config=config,
    )  # fmt: skip
    products = product_sequencer(
        clk=clk, aresetn=aresetn, port=linear, computes=computes, cache_offset=progress.offset, regs=regs,
        config=config,
    )  # fmt: skip
    attention = attention_sequencer(
        clk=clk, aresetn=aresetn, port=attend, progress=progress, computes=computes, softmax_done=core.softmax_done,
        group=group, activity=activity, regs=regs, config=config,
    )  # fmt: skip
    mux = command_mux(use_one=attends, zero=linear.cmd, one=attend.cmd, dst=cmd)
    return choice, sequence, products, attention, mux


@block
def choose_of_two(progress, kind):
    """Number of the program where there are attention and MLP. Combinational."""
    ATTENTION, MLP = KINDS["attention"], KINDS["mlp"]

    @always_comb
    def drive_kind():
        kind.next = MLP
        if progress.attention:
            kind.next = ATTENTION

    return drive_kind


@block
def choose_kind(progress, kind):
    """Number of the program, in builds with text. Combinational."""
    ATTENTION, MLP, CROSS = KINDS["attention"], KINDS["mlp"], KINDS["cross"]

    @always_comb
    def drive_kind():
        kind.next = MLP
        if progress.attention:
            kind.next = ATTENTION
        elif progress.crosses:
            kind.next = CROSS

    return drive_kind
