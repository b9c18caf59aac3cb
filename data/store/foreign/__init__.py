"""Stores and folders that other tools wrote."""
