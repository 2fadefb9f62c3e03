"""Form cohorts of chosen individuals, through the public interface alone."""

from collections.abc import Iterable

from agents.cohort.cohort import Cohort
from agents.researcher import Researcher
from agents.workforce import Workforce


def form_cohort(workforce: Workforce, researchers: Iterable[Researcher]) -> Cohort:
    """Replace individuals of a workforce by one cohort, with their present papers and experiments.

    The cohort has the number of the first of them.
    """
    members = list(dict.fromkeys(researchers))
    first = members[0]
    cohort = Cohort(first.model, first.identity, workforce.ports)
    for researcher in members:
        cohort.absorb(researcher)
    workforce.researchers = [each for each in workforce.researchers if each not in members]
    workforce.cohorts.append(cohort)
    workforce.record_cohort(cohort)
    return cohort
