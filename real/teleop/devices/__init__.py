"""The devices that tiller brings, one per file, each with a `DEVICE` that describes it (`real.teleop.registry`)."""
