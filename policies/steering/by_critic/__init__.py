"""What steers by a critic: pulled towards its values, or chosen by them."""
