"""What `tiller train` does: its options, the run that is opened, and the training of each kind."""
