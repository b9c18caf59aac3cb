"""What every run has: a folder, progress, threads; and recorded runs done again."""
