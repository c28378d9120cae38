"""The cycle model of each unit, named as in ``accel``: when things happen, as recurrences over tiles and words.

A cycle is numbered by the clock edge that begins it. Times are numbers of cycles; they are whole as long as the
external memory delivers a word in every cycle, and may have a fraction where its bandwidth spreads the words.
Latencies are imported from the hardware, so that a change there moves the model along.
"""
