"""Measure software progress, warn of fast progress, and restrict labs, with pure models that import no World."""
