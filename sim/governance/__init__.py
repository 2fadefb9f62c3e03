"""Governance of labs: measurement, detectors, rules and orders."""
