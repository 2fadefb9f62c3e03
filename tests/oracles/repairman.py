"""The machine-repairman model: N owners think, ask for one of c servers, and think again."""


def throughput(owners: int, servers: int, think: float, service: float) -> float:
    """Jobs per unit of time, from the stationary distribution of the birth-death chain."""
    weights = [1.0]
    for asking in range(1, owners + 1):
        birth = (owners - asking + 1) / think
        death = min(asking, servers) / service
        weights.append(weights[-1] * birth / death)
    busy = sum(weight * min(asking, servers) for asking, weight in enumerate(weights)) / sum(weights)
    return busy / service
