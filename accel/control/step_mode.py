"""What the policy makes of the timestep at hand, and whose turn it is at A memory."""

from myhdl import always_comb, always_seq, block


@block
def step_mode(clk, aresetn, host, streaming_pass, progress, mode, regs):
    """Drive ``mode`` (StepMode) and ``streaming_pass.running`` (PassControl)."""

    @always_seq(clk.posedge, reset=aresetn)
    def know_first_step():
        if host.new_image:
            mode.first_step.next = 1
        elif host.running and progress.last_pass and streaming_pass.done:
            mode.first_step.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def know_running_pass():
        if streaming_pass.begin:
            streaming_pass.running.next = 1
        elif streaming_pass.done:
            streaming_pass.running.next = 0

    @always_comb
    def choose_mode():
        mode.stream_scope.next = regs.policy and regs.stream_scope
        mode.differs.next = regs.policy and regs.stream_scope and regs.difference
        mode.compares.next = regs.policy and not progress.follows
        mode.with_history.next = regs.policy and not mode.first_step and not progress.last_pass and not progress.follows

    return know_first_step, know_running_pass, choose_mode
