"""The description of a robot and the safe path of an action to it."""
