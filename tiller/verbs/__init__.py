"""One file per verb of the command line: each composes the rooms and holds no algorithm of its own."""
