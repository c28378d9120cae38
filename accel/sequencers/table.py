"""Tables of small numbers that sequencers read: a NamedTuple per row, integers only, one ROM per column."""

from myhdl import always_comb, block


@block
def table_column(index, dst, values):
    """``dst`` is value number ``index`` of a column. Combinational."""
    VALUES = tuple(int(value) for value in values)

    @always_comb
    def drive_value():
        dst.next = VALUES[index]

    return drive_value


@block
def table_facts(index, facts, table):
    """``facts``, one signal per column, are row number ``index`` of the table. Combinational."""
    return [
        table_column(index=index, dst=getattr(facts, name), values=[getattr(row, name) for row in table])
        for name in table[0]._fields
    ]
