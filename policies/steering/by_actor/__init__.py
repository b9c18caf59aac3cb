"""What steers by an actor that was learnt from experience."""
