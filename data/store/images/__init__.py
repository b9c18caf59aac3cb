"""Images in a store: how each row is encoded, how zarr decodes it, and the files that hold many of them."""
