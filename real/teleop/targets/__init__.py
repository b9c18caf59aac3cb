"""A person's velocities, poses and joint angles as targets of the robot, within the contract's limits."""
