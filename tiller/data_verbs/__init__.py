"""What `tiller data` does, an action a file."""
