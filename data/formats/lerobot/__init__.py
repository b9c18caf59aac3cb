"""LeRobot's datasets, v2 and v3, read and written by pyarrow and PyAV alone."""
