"""Measure, detect and restrict fast progress: detectors, their error rates, and published rules in closed form.

Every module is pure and is used on its own, as in ``from sim.governance import detectors``.
"""
