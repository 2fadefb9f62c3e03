"""Compute races in closed form, and simulate the same races with random numbers.

Every module is pure and is used on its own, as in ``from sim.racing import birth_races``. `safety_game` has the race to
the precipice, `paper_races` the race to a number of papers, `birth_races` the race to an explosion. `leads` has head
starts, leaks and mergers, `patent_races` the models of industrial economics. `feedbacks` has several sectors that
improve each other, `hardware_clock` the change of dates by hardware that grows.
"""
