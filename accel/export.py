"""Write the accelerator as Verilog or VHDL.

Conversion warnings are errors: MyHDL warns where the HDL it writes may not mean what the Python says.
"""

import warnings
from pathlib import Path

from myhdl import ToVerilogWarning, ToVHDLWarning

from accel.config import BuildConfig
from accel.ports import TopPorts
from accel.top import radit_top
from model.errors import UserError

TOP = "radit_top"
LANGUAGES = {"verilog": "Verilog", "vhdl": "VHDL"}
SUFFIX = {"verilog": "v", "vhdl": "vhd"}


def convert(config: BuildConfig, language: str, folder: Path) -> Path:
    """Convert one build into ``folder``; returns the file of the top.

    Raises:
        UserError: an unknown language.
    """
    if language not in LANGUAGES:
        raise UserError(f"language is {language!r}; choose from {', '.join(LANGUAGES)}.")
    folder.mkdir(parents=True, exist_ok=True)
    ports = TopPorts(config)
    top = radit_top(config, **ports.arguments())
    options = {"testbench": False} if language == "verilog" else {"std_logic_ports": True}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ToVerilogWarning)
        warnings.simplefilter("error", ToVHDLWarning)
        # Outputs that a wiring block does not use are no error.
        warnings.filterwarnings("ignore", message="Signal is driven but not read")
        top.convert(hdl=LANGUAGES[language], path=str(folder), name=TOP, initial_values=False, **options)
    return folder / f"{TOP}.{SUFFIX[language]}"


def export(config: BuildConfig, languages: list[str], folder: Path) -> list[Path]:
    """Convert one build into every language; returns the files."""
    return [convert(config, language, folder) for language in languages]
