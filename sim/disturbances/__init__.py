"""Pushes on mazes and twins that are bounded in newtons and in joules."""
