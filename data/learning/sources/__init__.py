"""Where a training draws windows from: one dataset, several, and what stands around them."""
