"""Sources that are arrays side by side: npz, and the replay buffers of zarr."""
