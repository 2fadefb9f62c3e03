"""Judge detectors of a faster pace on runs of scenarios: `asara detect`."""
