"""Keys of what is measured beside the skipping policies; `model/quality/quality_run.py` says what they are."""

FLOAT, DENSE = "float", "dense"
FEWER, BAR, RECORD = "fewer_steps", "30_of_50", "ddim_50"
DATA = "data"
