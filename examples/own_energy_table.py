"""Another energy table: the same runs, with their actions priced anew.

A table is a TOML file of energies per action, each with its unit, node and source. `own_energy_table.toml`, beside this
file, states what differs from the shipped one: memory stacked on the accelerator, and none on its chip for results to
reuse. Nothing is generated or simulated again for it.

Expected output (uJ per digit, nominal, low to high; share of what moves over the external memory interface):

    default-28nm    dense 2706 (1220 to 7518)  external 43 %
    default-28nm    radit 1654 (750 to 4594)  external 46 %
    stacked-memory  dense 2079 (853 to 5377)  external 27 %
    stacked-memory  radit 1496 (604 to 3552)  external 35 %
"""

from pathlib import Path

import radit

IMAGES = 4
EXTERNAL = ("external_weights", "external_conditioning", "x_streams")


def main() -> None:
    model = radit.quantize("digits", steps=50)
    runs = {
        name: radit.predict_cycles(model, radit.generate(model, name, images=IMAGES).decisions)
        for name in ("dense", "radit")
    }
    for table in ("default", Path(__file__).with_suffix(".toml")):
        prices = radit.load_energy_table(table)
        for name, run in runs.items():
            energy = radit.account_energy(run, prices)
            parts, total = energy.components_uj, energy.total_uj
            outside = (*EXTERNAL, "branch_cache") if prices.reuse_sram.capacity == 0 else EXTERNAL
            share = sum(parts[part].nominal for part in outside) / total.nominal
            print(
                f"{energy.table:14}  {name} {total.nominal / IMAGES:.0f} "
                f"({total.low / IMAGES:.0f} to {total.high / IMAGES:.0f})  external {share:.0%}".replace("%", " %")
            )


if __name__ == "__main__":
    main()
