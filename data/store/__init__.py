"""The store: open it, read it, append to it so that a crash loses nothing that was committed."""
