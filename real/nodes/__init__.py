"""One file a node, each a thin shell: `main(args)` runs it, and what it computes lives in the other rooms."""
