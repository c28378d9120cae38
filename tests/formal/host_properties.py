"""The rules of AXI4-Lite and of register access, as Verilog put before the module's end."""

from radit.accel.axi.bus_config import memories
from radit.accel.axi.bus_ports import HOST_BITS
from radit.accel.axi.bus_registers import bus_registers, constant_values
from radit.accel.control.registers import (
    ABORT_BIT,
    ADDRESS,
    CONSTANTS,
    NEW_IMAGE_BIT,
    REGISTERS,
    START_BIT,
    build_constants,
    stored_registers,
)
from tests.formal.properties import CLOCKED, held
from tests.formal.units import BUILD, BUS

OWN = 1 << HOST_BITS - 1  # word address of the wrapper's first register
# The check of the registers takes hundreds of cycles: what it says, and when, is left open.
VERDICT = ("start_runs0_verdict_pending", "start_runs0_verdict_passes", "keep_status0_verdict_code",
           "keep_status0_verdict_place")  # fmt: skip
REGISTER_CUTS = tuple(f"register_file0_{name}" for name in VERDICT)
FREE = ("control", "status", "watchdog")  # take writes while busy


def lite_rules() -> str:
    """Handshakes, one answer for each access, legal codes, and what reaches a register."""
    return CLOCKED + _channels() + _answers() + _writes() + _reads()


def _channels() -> str:
    """The host holds what waits, and so does the wrapper. It is awake for good."""
    return (
        held("assume", "aw", "s_axil_awvalid", "s_axil_awready", {"s_axil_awaddr": 12})
        + held("assume", "w", "s_axil_wvalid", "s_axil_wready", {"s_axil_wdata": 32, "s_axil_wstrb": 4})
        + held("assume", "ar", "s_axil_arvalid", "s_axil_arready", {"s_axil_araddr": 12})
        + held("assert", "b", "s_axil_bvalid", "s_axil_bready", {"s_axil_bresp": 2})
        + held("assert", "r", "s_axil_rvalid", "s_axil_rready", {"s_axil_rdata": 32, "s_axil_rresp": 2})
        + """
reg f_awake = 0;
always @(posedge clk) f_awake <= f_run && awake;
always @* if (f_awake) assume (awake);
"""
    )


def _answers() -> str:
    """None without an access, one for each, and soon: a write's in 2 cycles, a read's in 3, if nothing else waits."""
    return """
wire f_aw = f_run && s_axil_awvalid && s_axil_awready, f_w = f_run && s_axil_wvalid && s_axil_wready;
wire f_ar = f_run && s_axil_arvalid && s_axil_arready;
wire f_b = f_run && s_axil_bvalid && s_axil_bready, f_r = f_run && s_axil_rvalid && s_axil_rready;
wire f_wanted = s_axil_awvalid && s_axil_wvalid || s_axil_arvalid;
reg [3:0] f_writes = 0, f_reads = 0; // not answered yet
reg [3:0] f_write_age = 0, f_read_age = 0, f_idle = 0;
always @(posedge clk) begin
    f_writes <= f_writes + f_aw - f_b;
    f_reads <= f_reads + f_ar - f_r;
    f_write_age <= f_writes == 0 || s_axil_bvalid ? 0 : f_write_age + 1;
    f_read_age <= f_reads == 0 || s_axil_rvalid ? 0 : f_read_age + 1;
    f_idle <= !f_run || !awake || f_writes || f_reads || f_aw || f_ar || !f_wanted ? 0 : f_idle + 1;
end
always @* if (f_run) begin
    assert (f_aw == f_w && f_writes <= 1 && f_reads <= 1);
    if (f_writes) assert (!f_aw || f_b);
    if (s_axil_bvalid) assert (f_writes == 1);
    if (s_axil_rvalid) assert (f_reads == 1);
    assert (f_write_age < 2 && f_read_age < 3 && f_idle < 2);
    if (s_axil_bvalid) assert (s_axil_bresp == 0 || s_axil_bresp == 2);
    if (s_axil_rvalid) assert (s_axil_rresp == 0);
    if (!awake) assert (!s_axil_awready && !s_axil_wready && !s_axil_arready);
end
"""


def _writes() -> str:
    """What is written, in the one cycle after the access; an answer without an error says that it was."""
    number = {name: OWN + place for place, name in enumerate(bus_registers(BUILD))}
    first, enable = number[f"{memories(BUILD)[0]}_base_low"], number["irq_enable"]
    free = " || ".join(f"f_addr == {ADDRESS[name]}" for name in ("status", "watchdog"))
    return f"""
reg f_step = 0, f_said = 0, f_ok; reg [{HOST_BITS - 1}:0] f_addr; reg [31:0] f_data; reg [3:0] f_strobes;
wire f_own = f_addr >= {OWN}, f_base = f_addr >= {first};
wire f_free = {free} || f_addr == {ADDRESS["control"]} && f_data[{ABORT_BIT}];
wire f_takes = f_strobes == 15 && !(run_busy && (f_base || !f_own) && !f_free)
    && !(f_base && !f_addr[0] && f_data[7:0] != 0);
always @(posedge clk) begin
    f_step <= f_aw;
    if (f_aw) begin f_addr <= s_axil_awaddr[11:2]; f_data <= s_axil_wdata; f_strobes <= s_axil_wstrb; end
    f_said <= f_run && f_step;
    f_ok <= f_takes;
end
always @* if (f_run) begin
    assert (reg_write == (f_step && f_takes && !f_own));
    if (reg_write) assert (reg_addr == f_addr[8:0] && reg_wdata == f_data);
    if (f_said) assert (s_axil_bvalid && s_axil_bresp == (f_ok ? 0 : 2));
end
// One of the wrapper's registers, any of those that are kept: it is what was written last.
(* anyconst *) reg [{HOST_BITS - 1}:0] f_one;
wire [31:0] f_bits = f_one == {enable} ? 32'd3 : f_one[0] ? 32'd0 : 32'hffffff00; // addresses have 32 bits
always @* assume (f_one == {enable} || f_one >= {first} && f_one < {OWN + len(number)});
reg [31:0] f_kept;
always @(posedge clk)
    if (!f_run) f_kept <= 0;
    else if (f_step && f_takes && f_addr == f_one) f_kept <= f_data & f_bits;
"""


def _reads() -> str:
    """A read gives what the register held in the cycle after the access; addresses of nothing give 0."""
    number = {name: OWN + place for place, name in enumerate(bus_registers(BUILD))}
    fixed = "".join(
        f"{OWN + place}: f_fixed = 32'd{value}; " for place, value in enumerate(constant_values(BUILD, BUS))
    )
    return f"""
reg f_look = 0, f_take = 0; reg [{HOST_BITS - 1}:0] f_asked; reg [31:0] f_inner, f_held_one;
reg [31:0] f_fixed; always @* case (f_asked) {fixed}default: f_fixed = 0; endcase
always @(posedge clk) begin
    f_look <= f_ar; f_take <= f_run && f_look;
    if (f_ar) f_asked <= s_axil_araddr[11:2];
    if (f_look) f_held_one <= f_kept;
    if (f_take) f_inner <= reg_rdata;
end
reg f_shows = 0; always @(posedge clk) f_shows <= f_run && f_take;
always @* if (f_run && f_look && f_asked < {OWN}) assert (reg_addr == f_asked[8:0] && !reg_write);
always @* if (f_run && f_shows) begin
    assert (s_axil_rvalid);
    if (f_asked < {OWN}) assert (s_axil_rdata == f_inner);
    if (f_asked == f_one) assert (s_axil_rdata == f_held_one);
    if (f_asked >= {OWN} && f_asked < {OWN + len(constant_values(BUILD, BUS))}) assert (s_axil_rdata == f_fixed);
    if (f_asked >= {OWN + len(number)}) assert (s_axil_rdata == 0);
end
"""


def register_rules() -> str:
    """Every register is what was last written to it while that was allowed, and reads so; when a timestep starts."""
    return CLOCKED + _kept() + _read_back() + _starts()


def _kept() -> str:
    free = " || ".join(f"reg_addr == {ADDRESS[name]}" for name in FREE)
    text = f"wire f_takes = reg_write && (!busy || {free});\n"
    for name in stored_registers(BUILD):
        bits = REGISTERS[name].bits
        text += f"""
reg [{bits - 1}:0] f_{name} = 0;
always @(posedge clk)
    if (!f_run) f_{name} <= 0;
    else if (f_takes && reg_addr == {ADDRESS[name]}) f_{name} <= reg_wdata[{bits - 1}:0];
always @* if (f_run) assert (regs_{name} == f_{name});
"""
    return text


def _read_back() -> str:
    """One cycle after the address, whatever is written meanwhile."""
    cases = "".join(f"        {ADDRESS[name]}: f_shown <= f_{name};\n" for name in stored_registers(BUILD))
    cases += "".join(
        f"        {ADDRESS[name]}: f_shown <= 32'd{value};\n" for name, value in build_constants(BUILD).items()
    )
    assert build_constants(BUILD).keys() == set(CONSTANTS)
    return f"""
reg [31:0] f_shown; reg f_is_status = 0, f_was_busy, f_looked = 0;
always @(posedge clk) begin
    f_looked <= f_run;
    f_is_status <= reg_addr == {ADDRESS["status"]};
    f_was_busy <= busy;
    case (reg_addr)
{cases}        default: f_shown <= 0;
    endcase
end
always @* if (f_run && f_looked) begin
    if (!f_is_status) assert (reg_rdata == f_shown);
    else assert (reg_rdata[0] == f_was_busy);
end
"""


def _starts() -> str:
    """A timestep starts on a START that came when nothing ran; one that came while busy leaves an error."""
    control = f"reg_write && reg_addr == {ADDRESS['control']} && !reg_wdata[{ABORT_BIT}]"
    free = " || ".join(f"reg_addr == {ADDRESS[name]}" for name in FREE)
    return f"""
// The sequencer runs from the start until its end, or until its reset.
reg f_runs = 0, f_asked = 0, f_refused = 0;
(* anyseq *) reg f_end;
wire f_commands = {control};
always @* assume (host_running == f_runs);
always @(posedge clk) begin
    f_runs <= f_run && core_resetn && (host_start || f_runs && !f_end);
    f_asked <= f_run && (f_commands && reg_wdata[{START_BIT}] && !busy || f_asked && busy && !host_start);
    f_refused <= f_run && reg_write && busy && (!({free}) || f_commands && (reg_wdata[{START_BIT}]
        || reg_wdata[{NEW_IMAGE_BIT}]));
end
always @* if (f_run) begin
    if (host_start) assert (f_asked && !host_running && run_starts && busy);
    if (host_running) assert (busy);
    if (run_aborts) assert (busy);
    if (f_refused) assert (run_fails);
end
"""
