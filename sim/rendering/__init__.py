"""Pictures and videos of scenes, with or without a display."""
