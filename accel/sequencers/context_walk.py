"""The walk of a sequencer through the contexts: which one it stands at, and where that one's words begin."""

from myhdl import always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import address, dim, flag


class ContextWalk:
    """A sequencer's place among the contexts.

    Signals:
        restart: 1 bit, from the sequencer; to context 0.
        step: 1 bit, from the sequencer; to the next context.
        number: ``DIM_BITS``, from ``context_walk``; the context.
        rows, supers, tokens: ``ADDRESS_BITS``, from ``context_walk``; its first row tile, supertile and token.
        computes: 1 bit, from ``context_walk``; the context computes.
        is_last: 1 bit, from ``context_walk``; no later context computes.
    """

    def __init__(self) -> None:
        self.restart = flag()
        self.step = flag()
        self.number = dim()
        self.rows = address()
        self.supers = address()
        self.tokens = address()
        self.computes = flag()
        self.is_last = flag()


@block
def context_walk(clk, aresetn, walk, computes, regs, config, keys=None):
    """Keep ``walk``. computes: ComputeSet, which stands still after a restart. regs: RegisterValues.

    keys: AttentionGroup, supertiles and tokens are those of its keys; None: of the contexts' own tokens.
    """
    CONTEXTS = config.max_contexts
    last = dim()
    if keys is None:
        steps = own_words(clk=clk, aresetn=aresetn, walk=walk, regs=regs, config=config)
    else:
        steps = key_words(clk=clk, aresetn=aresetn, walk=walk, keys=keys, config=config)

    @always_comb
    def drive_facts():
        walk.computes.next = 0
        for i in range(CONTEXTS):
            if walk.number == i:
                walk.computes.next = computes.contexts[i]
        walk.is_last.next = walk.number == last

    @always_seq(clk.posedge, reset=aresetn)
    def advance_walk():
        if walk.restart:
            for i in range(CONTEXTS):
                if computes.contexts[i]:
                    last.next = i
            walk.number.next = 0
            walk.rows.next = 0
        elif walk.step:
            walk.number.next = walk.number + 1
            walk.rows.next = walk.rows + regs.row_tiles

    return steps, drive_facts, advance_walk


@block
def own_words(clk, aresetn, walk, regs, config):
    """Supertiles and tokens of the contexts before: their own."""
    LOG_ROWS = log2_exact(config.rows)
    LOG_ROW_PARTS = log2_exact(config.wide) - LOG_ROWS

    @always_seq(clk.posedge, reset=aresetn)
    def advance_words():
        if walk.restart:
            walk.supers.next = 0
            walk.tokens.next = 0
        elif walk.step:
            walk.supers.next = walk.supers + (regs.row_tiles >> LOG_ROW_PARTS)
            walk.tokens.next = walk.tokens + (regs.row_tiles << LOG_ROWS)

    return advance_words


@block
def key_words(clk, aresetn, walk, keys, config):
    """Supertiles and tokens of the contexts before: those of their keys."""
    LOG_WIDE = log2_exact(config.wide)

    @always_seq(clk.posedge, reset=aresetn)
    def advance_keys():
        if walk.restart:
            walk.supers.next = 0
            walk.tokens.next = 0
        elif walk.step:
            walk.supers.next = walk.supers + keys.key_supers
            walk.tokens.next = walk.tokens + (keys.key_supers << LOG_WIDE)

    return advance_keys
