"""The one automation engine.

``matching`` finds who met a trigger in a batch of the stream, ``timers`` who was absent long enough;
``starts`` makes their runs; ``waking`` makes waiting runs due; ``walk`` takes one run through its steps and
``advance`` claims the runs that are due. Everything lies in rows, so whoever dies leaves nothing behind.
"""
