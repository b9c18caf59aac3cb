"""The gate's topics: what its node subscribes to and publishes; its decisions are in `robot.safety.gate`."""
