"""Determine who leads among several labs, over seeds: `asara race`."""
