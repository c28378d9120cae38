"""Prompt loader: keys and values that the host has made of the prompt, into K and V memory.

They come while the array computes q, for the contexts that compute alone. The port has, one behind the other, a
context's keys (R text tokens of one channel a word: row tile, channel) and its values (R channels of one text token:
token, channel tile), of as many text tokens as the context has; the last row tile of keys is padded. A context's words
begin ``prompt_words`` behind those of the context before.

``LOOK`` (does the context compute?) -> ``SIZE``, ``ADD`` (how many words) -> ``ASK`` -> ``KEYS`` -> ``VALUES``.
"""

from myhdl import ConcatSignal, Signal, always_comb, always_seq, block, enum

from radit.accel.config import log2_exact
from radit.accel.interfaces.signals import DIM_BITS, address, dim, flag
from radit.accel.units.lanes import part_mux


class PromptPlace:
    """The context whose words come, and how many there are.

    number: dim, it. base: address of its first word. supers, tokens: address, of its keys' first supertile, and of the
    first one of its values. computes: flag. texts: dim, its text tokens. Driven by ``walk_prompts``.
    row_tiles: dim, of its keys; channel_tiles: dim, of a token's values. Driven by ``size_prompt``.
    """

    def __init__(self) -> None:
        self.number, self.texts, self.row_tiles, self.channel_tiles = (dim() for _ in range(4))
        self.base, self.supers, self.tokens = (address() for _ in range(3))
        self.computes = flag()


class PromptSteps:
    """What happens in this cycle, one flag each; driven by ``load_prompts``.

    start: the first context begins. leaves: the next context is to come. sizes, adds: its number of words is found.
    opens: its words are asked for. key, value: a word of its keys, or of its values, comes.
    """

    def __init__(self) -> None:
        self.start, self.leaves, self.sizes, self.adds, self.opens, self.key, self.value = (flag() for _ in range(7))


class PromptEnds:
    """keys, values: flags, the word at hand is the last of the context's; driven by the walks."""

    def __init__(self) -> None:
        self.keys, self.values = flag(), flag()


@block
def prompt_loader(clk, aresetn, fetch, computes, channels, inputs, regs, config):
    """Fetch the prompt's keys and values of a sub-block; nothing in builds without text.

    fetch: PromptFetch. computes: ComputeSet. channels: MemoryChannels. inputs: ArrayInputs, whose keys and values go to
    K and V memory.
    """
    if not config.max_text:
        return ()
    channel, keys, values = channels.prompt, inputs.keys, inputs.values
    place, steps, ends = PromptPlace(), PromptSteps(), PromptEnds()
    walk_keys = key_words if config.products == 1 else pair_key_words
    return (
        walk_prompts(
            clk=clk, aresetn=aresetn, steps=steps, fetch=fetch, place=place, computes=computes, regs=regs, config=config
        ),
        size_prompt(clk=clk, aresetn=aresetn, steps=steps, place=place, length=channel.cmd.tlen, regs=regs,
                    config=config),
        load_prompts(
            clk=clk, aresetn=aresetn, fetch=fetch, channel=channel, place=place, steps=steps, ends=ends, regs=regs
        ),
        key_rows(
            clk=clk, aresetn=aresetn, steps=steps, place=place, channel=channel, ends=ends, write=keys, regs=regs,
            config=config, words=walk_keys,
        ),
        value_rows(
            clk=clk, aresetn=aresetn, steps=steps, place=place, channel=channel, ends=ends, write=values, regs=regs,
            config=config,
        ),
    )  # fmt: skip


@block
def walk_prompts(clk, aresetn, steps, fetch, place, computes, regs, config):
    """Where the words of the context at hand lie, outside and inside."""
    CONTEXTS, LOG_WIDE = config.max_contexts, log2_exact(config.wide)
    choice = text_keys(number=place.number, dst=place.texts, regs=regs, config=config)

    @always_comb
    def find_context():
        place.computes.next = 0
        for i in range(CONTEXTS):
            if place.number == i:
                place.computes.next = computes.contexts[i]

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if steps.start:
            place.number.next = 0
            place.base.next = fetch.base
            place.supers.next = 0
            place.tokens.next = 0
        elif steps.leaves:
            place.number.next = place.number + 1
            place.base.next = place.base + regs.prompt_words
            place.supers.next = place.supers + regs.text_supertiles
            place.tokens.next = place.tokens + (regs.text_supertiles << LOG_WIDE)

    return choice, find_context, advance


@block
def size_prompt(clk, aresetn, steps, place, length, regs, config):
    """How many words the context has. length: of the command."""
    ROWS, LOG_ROWS = config.rows, log2_exact(config.rows)
    token_rows, channel_rows = dim(), dim()
    key_count, value_count = address(), address()

    @always_comb
    def round_up():
        token_rows.next = place.texts + (ROWS - 1)
        channel_rows.next = regs.hidden + (ROWS - 1)

    @always_comb
    def count_tiles():
        place.row_tiles.next = token_rows >> LOG_ROWS
        place.channel_tiles.next = channel_rows >> LOG_ROWS

    @always_seq(clk.posedge, reset=aresetn)
    def multiply():
        if steps.sizes:
            key_count.next = place.row_tiles * regs.hidden
            value_count.next = place.texts * place.channel_tiles

    @always_seq(clk.posedge, reset=aresetn)
    def add():
        if steps.adds:
            length.next = key_count + value_count

    return round_up, count_tiles, multiply, add


@block
def load_prompts(clk, aresetn, fetch, channel, place, steps, ends, regs):
    """Context after context: look, ask, take the words."""
    phases = enum("IDLE", "LOOK", "SIZE", "ADD", "ASK", "KEYS", "VALUES")
    phase = Signal(phases.IDLE)
    cmd, data = channel.cmd, channel.data

    @always_comb
    def drive_handshake():
        cmd.tvalid.next = phase == phases.ASK
        data.tready.next = phase == phases.KEYS or phase == phases.VALUES
        channel.moves.next = (phase == phases.KEYS or phase == phases.VALUES) and data.tvalid

    @always_comb
    def announce_steps():
        steps.start.next = phase == phases.IDLE and fetch.start
        steps.sizes.next = phase == phases.SIZE
        steps.adds.next = phase == phases.ADD
        steps.opens.next = phase == phases.ASK and cmd.tready
        steps.key.next = phase == phases.KEYS and data.tvalid
        steps.value.next = phase == phases.VALUES and data.tvalid
        steps.leaves.next = (phase == phases.LOOK and not place.computes) or (
            phase == phases.VALUES and data.tvalid and ends.values
        )
        fetch.busy.next = phase != phases.IDLE

    @always_comb
    def drive_address():
        cmd.taddr.next = place.base

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if fetch.start:
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if place.number == regs.contexts:
                phase.next = phases.IDLE
            elif place.computes:
                phase.next = phases.SIZE
        elif phase == phases.SIZE:
            phase.next = phases.ADD
        elif phase == phases.ADD:
            phase.next = phases.ASK
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.KEYS
        elif phase == phases.KEYS:
            if steps.key and ends.keys:
                phase.next = phases.VALUES
        elif steps.value and ends.values:
            phase.next = phases.LOOK

    return drive_handshake, announce_steps, drive_address, sequence


@block
def key_rows(clk, aresetn, steps, place, channel, ends, write, regs, config, words):
    """Write the keys: row tile after row tile, channel after channel. words: the block that finds their addresses."""
    PART_MASK = config.wide // config.rows - 1
    LOG_PARTS = log2_exact(config.wide // config.rows)
    row_tile, next_tile, channels_left, tiles_left = (dim() for _ in range(4))
    last_channel = flag()
    next_super = address()
    addresses = words(
        clk=clk, aresetn=aresetn, steps=steps, place=place, last_channel=last_channel, next_super=next_super,
        addr=write.addr, regs=regs,
    )  # fmt: skip

    @always_comb
    def find_ends():
        last_channel.next = channels_left == 1
        ends.keys.next = channels_left == 1 and tiles_left == 1
        next_tile.next = row_tile + 1

    @always_comb
    def find_super():
        next_super.next = place.supers + (next_tile >> LOG_PARTS)

    @always_comb
    def write_word():
        write.enable.next = steps.key
        write.part.next = row_tile & PART_MASK
        write.data.next = channel.data.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if steps.opens:
            row_tile.next = 0
            channels_left.next = regs.hidden
            tiles_left.next = place.row_tiles
        elif steps.key:
            channels_left.next = channels_left - 1
            if last_channel:
                channels_left.next = regs.hidden
                row_tile.next = next_tile
                tiles_left.next = tiles_left - 1

    return addresses, find_ends, find_super, write_word, advance


@block
def key_words(clk, aresetn, steps, place, last_channel, next_super, addr, regs):
    """``addr``: of the key word at hand, channel * supertiles of all contexts + supertile.

    last_channel: flag, the word is its row tile's last. next_super: supertile of the next row tile.
    """

    @always_seq(clk.posedge, reset=aresetn)
    def advance_address():
        if steps.opens:
            addr.next = place.supers
        elif steps.key:
            if last_channel:
                addr.next = next_super
            else:
                addr.next = addr + regs.text_supertiles_all

    return advance_address


@block
def pair_key_words(clk, aresetn, steps, place, last_channel, next_super, addr, regs):
    """The same where words lie in pairs (``accel/array/pair_steps.py``)."""

    @always_seq(clk.posedge, reset=aresetn)
    def advance_address():
        if steps.opens:
            addr.next = place.supers + place.supers
        elif steps.key:
            if last_channel:
                addr.next = next_super + next_super
            elif addr[0]:
                addr.next = addr + regs.text_supertiles_all + regs.text_supertiles_all - 1
            else:
                addr.next = addr + 1

    return advance_address


@block
def value_rows(clk, aresetn, steps, place, channel, ends, write, regs, config):
    """Write the values: token after token, channel tile after channel tile."""
    PART_MASK = config.wide // config.rows - 1
    LOG_WIDE = log2_exact(config.wide)
    part, tiles_left, texts_left = dim(), dim(), dim()
    last_tile = flag()
    token, next_token = address(), address()

    @always_comb
    def find_ends():
        last_tile.next = tiles_left == 1
        ends.values.next = tiles_left == 1 and texts_left == 1
        next_token.next = token + 1

    @always_comb
    def write_word():
        write.enable.next = steps.value
        write.part.next = part
        write.data.next = channel.data.tdata

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if steps.opens:
            part.next = 0
            tiles_left.next = place.channel_tiles
            texts_left.next = place.texts
            token.next = place.tokens
            write.addr.next = place.tokens
        elif steps.value:
            tiles_left.next = tiles_left - 1
            if part == PART_MASK:
                part.next = 0
                write.addr.next = write.addr + (regs.text_supertiles_all << LOG_WIDE)
            else:
                part.next = part + 1
            if last_tile:
                part.next = 0
                tiles_left.next = place.channel_tiles
                texts_left.next = texts_left - 1
                token.next = next_token
                write.addr.next = next_token

    return find_ends, write_word, advance


@block
def text_keys(number, dst, regs, config):
    """``dst``: text tokens of context ``number``. Combinational; builds with text."""
    registers = [getattr(regs, f"text_keys_{context}") for context in range(config.max_contexts)]
    joined = ConcatSignal(*reversed(registers)) if len(registers) > 1 else registers[0]
    return part_mux(joined=joined, part=number, dst=dst, parts=len(registers), bits=DIM_BITS)
