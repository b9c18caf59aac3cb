"""The state of a simulation as bytes: saved, and put back so that what follows is the same to the bit."""
