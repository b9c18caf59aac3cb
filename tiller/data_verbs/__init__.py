"""What `tiller data` does, a file for each part of it."""
