"""`python -m tiller` is `tiller`."""

from tiller.cli import entry

if __name__ == "__main__":
    entry()
