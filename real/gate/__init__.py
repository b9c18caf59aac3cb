"""The gate's topics: what its node hears and says; what it decides is in `robot.safety.gate`."""
