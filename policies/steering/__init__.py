"""What steers a policy at run time. Each is a policy itself, around the one that it steers, whose weights stay."""
