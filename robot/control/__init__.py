"""From chunks to set-points and torques: rotations, trajectories, impedance, history, runner."""
