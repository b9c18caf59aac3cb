"""ContactMaze2D: a pin that finds its way through a maze by contact alone, under a budget of energy."""

from sim.maze.batch import MazeBatch, MazeStep
from sim.maze.command import ACTION_REACH_M, decode, encode
from sim.maze.options import MazeOptions
from sim.maze.plans import HELD_OUT, TRAINING

__all__ = ["ACTION_REACH_M", "HELD_OUT", "MazeBatch", "MazeOptions", "MazeStep", "TRAINING", "decode", "encode"]
