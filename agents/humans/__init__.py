"""Simulate human researchers: their tasks, their papers in progress, their hiring and working time."""
