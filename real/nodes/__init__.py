"""One file per node, each a thin shell: `main(args)` runs it, and its computation is in the other rooms."""
