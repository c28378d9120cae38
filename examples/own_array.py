"""Another array: cycles of several shapes on paper, one of them through the simulated hardware.

The cycle model predicts an image from the model's dimensions, in milliseconds and without weights. The smallest array
is then exported, compiled (once, about a minute) and run for one timestep; every word is compared with the integer
reference. With a memory that delivers a word in every cycle the prediction is exact.

Expected output (one digit, 50 timesteps, dense):

    8x8    35.22 million cycles, MAC utilization 97.7 %
    8x16   18.03 million cycles, MAC utilization 95.4 %
    16x16   9.10 million cycles, MAC utilization 94.5 %
    32x32   2.60 million cycles, MAC utilization 82.8 %
    8x8, one timestep: 704339 cycles predicted, 704339 measured, 892928 words compared, 0 differ
"""

import radit

MEMORY = radit.Memory(latency=20, bandwidth=None)


def main() -> None:
    dense = radit.dense_decisions("digits", steps=50)
    for array in ("8x8", "8x16", "16x16", "32x32"):
        found = radit.predict_cycles("digits", dense, array=array, memory=MEMORY)
        print(
            f"{array:5}  {found.cycles / 1e6:5.2f} million cycles, MAC utilization {100 * found.mac_utilization:.1f} %"
        )
    result = radit.cosimulate("digits", ["dense"], array="8x8", steps=50, timesteps=1, memory=MEMORY)
    run, check = result["dense"], result.check
    print(
        f"8x8, one timestep: {run.predicted_cycles} cycles predicted, {run.cycles} measured, "
        f"{check.words_compared} words compared, {check.words_mismatched} differ"
    )


if __name__ == "__main__":
    main()
