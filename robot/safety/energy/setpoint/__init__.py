"""Set-points over a spring: what a change of them may inject."""
