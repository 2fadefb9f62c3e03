"""Build the panel of the latest events."""

from __future__ import annotations

from typing import Any

from experiments.window.session import ViewState

EVENT_COLOURS = {
    "PaperPublished": "grey",
    "SoftwareDoubled": "blue",
    "TrainingRequested": "pink",
    "Deployed": "orange",
    "ActiveResearchersChanged": "green",
    "CohortFormed": "green",
    "GpusDivided": "sky",
    "SafetyShareChanged": "blue",
    "KernelCurveLoaded": "sky",
    "KernelsDeployed": "sky",
    "HumansHired": "blue",
    "AssistantsChanged": "green",
    "TaskAutomated": "green",
    "ResearchAutomated": "green",
    "GpusDelivered": "orange",
    "RestrictionsChanged": "pink",
    "LabEnded": "red",
    "RunEnded": "red",
}
EMPHASISED_EVENTS = frozenset(
    {"SoftwareDoubled", "Deployed", "TaskAutomated", "ResearchAutomated", "RestrictionsChanged", "LabEnded", "RunEnded"}
)


def event_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the panel of the latest events."""
    return {
        "lines": [
            [
                f"{event.day:,.1f}",
                event.labelled,
                EVENT_COLOURS.get(event.kind, "grey"),
                event.kind in EMPHASISED_EVENTS,
            ]
            for event in state.frame.events
        ],
        "empty": "There are no events yet. Press “Step” for a frame, or “Event” for the next event.",
    }
