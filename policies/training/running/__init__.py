"""What a run stands on: its folder, processes, signals, curves and progress."""
