"""The MuJoCo models that a robot's description names, and their shapes."""
