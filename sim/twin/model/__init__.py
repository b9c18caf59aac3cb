"""The model of a twin: arms and tools from their MJCF, in a scene."""
