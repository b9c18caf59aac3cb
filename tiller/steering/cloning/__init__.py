"""The base goes on learning from what it did itself."""

from tiller.steering.cloning.filtered import demonstrations, filtered_bc, require_cloning

__all__ = ["demonstrations", "filtered_bc", "require_cloning"]
