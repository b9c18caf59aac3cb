"""A person at the robot: devices, and what becomes of their input: targets, a take-over, requests of other nodes."""
