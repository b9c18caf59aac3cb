"""What `tiller data` does, a file each, where it is more than a few lines."""
