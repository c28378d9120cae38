"""What happens when: timestep sequencer, skip controller, registers, conditioning, accounts of cycles."""
