"""Every fixed-point format of the machine, written once.

``Qm.n`` is a two's-complement number with ``n`` fraction bits. Rounding is *half up* everywhere:
``floor(v / 2**s + 1/2)``, so a tie moves toward +infinity. Saturation is symmetric for int8
(``-127 .. 127``) and two's-complement for everything wider.

The golden functions (``model/ops``), the reference, the RTL (``accel``) and the packing of host
data (``cosim/pack.py``) all import from here; a width stands in no second place.
"""

# Operands of the MAC array and its accumulator.
INT8_BITS = 8
INT8_MAX = 127
ACC_BITS = 32

# Requantization: q = (acc + bias) * mult >> shift, rounded half up.
BIAS_BITS = 32
MULT_BITS = 16  # unsigned mantissa, normalized to [2**15, 2**16)
SHIFT_BITS = 6
SHIFT_MAX = (1 << SHIFT_BITS) - 1  # 63; at least 1
WIDE_BITS = 16  # a requantized value before it becomes int8: GELU input, score

# Residual stream x and the gate that scales a branch (int8) into it.
X_BITS = 16  # fraction bits are the model's own (calibrated)
GATE_BITS = 16
SUM_BITS = 28  # sum of x over the hidden dimension (up to 2**12 channels)
SQUARE_BITS = 42  # sum of x*x over the hidden dimension
EPS_BITS = 32  # what LayerNorm adds to the variance, in units of x*x

# LayerNorm output, modulation, quantization.
LN_BITS = 16
LN_FRAC = 10
VAR_BITS = 54  # D * sum(x*x) - sum(x)**2 + eps
RSQRT_BITS = 16  # mantissa Q1.15
SEED_INDEX_BITS = 8  # leading bits of a mantissa that ask the tables of roots and reciprocals for a seed
MOD_BITS = 16  # modulation scale (fraction bits = mod_shift) and shift (ACT_FRAC)
ACT_BITS = 16
ACT_FRAC = 6  # modulated value in units of the int8 step, Q9.6

# Compress-and-Compare Unit: sign and 3-bit level.
CODE_BITS = 4
CODE_LEVELS = 7  # boundaries between the 8 levels
CODE_CUT = 3  # bits of a modulated value that codes do not see: eighths of the int8 step are left
BOUNDARY_BITS = 10  # up to 127 7/8 steps of int8, Q7.3
COUNT_BITS = 24  # changed codes of one sub-block input

# Dynamic Threshold Scaling Module.
THRESHOLD_BITS = 16  # share of changed codes, Q0.16
FACTOR_BITS = 8  # streak scale Q0.8, fluctuation factors Q1.7
AVERAGE_SHIFT = 2  # the running average of a distance moves by a quarter of what it is off
STREAK_BITS = 6  # reuses in a row; timesteps between two computed branches, up to 63

# Forecast of a reused branch.
GAIN_BITS = 8  # damping of the slope, Q1.7
INVERSE_BITS = 13  # 1 / gap, Q1.12
SLOPE_BITS = 11  # coefficient of the slope, Q3.8
SLOPE_FRAC = 8
SLOPE_MAX = (1 << SLOPE_BITS) - 1
SLOPE_CUT = (GAIN_BITS - 1) + (INVERSE_BITS - 1) - SLOPE_FRAC  # bits of gain * steps * inverse below the slope

# Softmax: scores in log2 units, probabilities 0 .. 127 relative to the row's maximum.
SCORE_FRAC = 6
MAX_EXPONENT = 15  # powers of two below 2**-15 of the maximum count as none
EXP_ROM_BITS = 15  # 127 * 2**8 at most
EXP_ROM_FRAC = 8
PROB_SUM_BITS = 20  # sum of up to 4096 probabilities of at most 127
RECIP_BITS = 16  # mantissa Q1.15

# GELU (tanh form): input and output Q5.10, Phi in Q1.12 over 256 steps of 1/64; then to int8 per channel.
GELU_FRAC = 10
PHI_FRAC = 12
PHI_STEP_BITS = 4  # |u| >> 4 indexes the table
PHI_ENTRIES = 256
AFTER_BITS = 10  # multiplier of a channel after GELU, unsigned, over a shift of the sub-block

# An entry of the parameter memory, the lowest field first: bias, mult, shift, after.
PARAM_BITS = BIAS_BITS + MULT_BITS + SHIFT_BITS + AFTER_BITS
