"""The report of a run: one page of everything its folder tells, `report.html`.

The worker that scored the model left what has to be computed (`flows.report_data`); here it is
only written down, so that a report costs the flow well under a second and can be written again.
"""

from collections.abc import Sequence
from pathlib import Path

from flows import report_answers, report_sections
from flows.figures import headline
from flows.page import Block, Page, Section, Tile, render
from flows.run_facts import RunFacts
from flows.run_folder import RunFolder
from flows.whole_files import write_whole

_TILES = 6


def write_report(folder: RunFolder, out: Path | None = None, *, ended: bool = False) -> Path:
    """Write the report of a run in whatever state it is; return its path.

    Args:
        folder: of the run.
        out: where it goes; None: to the folder.
        ended: as `RunFacts.read` has it.
    """
    out = folder.report if out is None else out
    write_whole(out, render(report_page(RunFacts.read(folder, ended=ended))))
    return out


def report_page(facts: RunFacts) -> Page:
    """Return the page of a run; parts of which nothing is known are left out."""
    sections: list[tuple[str, Sequence[Block]]] = [
        ("Outcome", report_sections.outcome(facts)),
        ("Training", report_sections.training(facts)),
        ("Precision and recall", report_answers.precision_recall(facts)),
        ("Confusion", report_answers.confusion(facts)),
        ("Classes", report_answers.classes(facts)),
        ("Pictures", report_answers.pictures(facts)),
        ("Data", report_sections.data(facts)),
        ("Time", report_sections.time(facts)),
        ("Hardware", report_sections.hardware(facts)),
        ("Environment", report_sections.environment(facts)),
    ]
    return Page(
        title=facts.name,
        subtitle=_subtitle(facts),
        verdict=_verdict(facts),
        good=bool(facts.summary.get("promoted")),
        banner=_banner(facts),
        links=facts.links,
        tiles=_tiles(facts),
        sections=[Section(title, blocks) for title, blocks in sections if blocks],
    )


def _subtitle(facts: RunFacts) -> str:
    if not facts.config:
        return "a folder without a configuration"
    model, data = facts.config["model"], facts.config["data"]
    told = [model["preset"], f"on {data['name']}", facts.config["backend"]]
    told += [facts.config["precision"], f"seed {facts.config['train']['seed']}"]
    if begun := facts.begun:
        told.append(begun)
    return " · ".join(told)


def _verdict(facts: RunFacts) -> str:
    if not facts.finished:
        return "under way" if facts.at_work else "unfinished"
    return "champion" if facts.summary["promoted"] else "not promoted"


def _banner(facts: RunFacts) -> str:
    """Say what is missing of a run that did not come to its end."""
    if facts.finished:
        return ""
    planned = facts.steps_planned
    far = f"step {facts.last_step:,}" + (f" of {planned:,}" if planned else "")
    if facts.at_work:
        state = f"This run is under way, at {far}."
    elif reason := facts.failure:
        state = f"This run failed at {far}: {reason}"
    elif facts.trained:
        state = "This run was trained to its end and then interrupted, before it was settled."
    else:
        state = f"This run was interrupted at {far}."
    measured = "" if facts.verified else " Its figures are those that training itself measured."
    return f"{state} What follows is what there is.{measured}"


def _tiles(facts: RunFacts) -> list[Tile]:
    names = headline(facts.metrics)[:_TILES]
    return [
        Tile(name, _figure(facts.metrics[name]), _floor(facts.trivial.get(name)))
        for name in names
        if facts.metrics[name] >= 0
    ]


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _floor(value: float | None) -> str:
    return "" if value is None or value < 0 else f"answering nothing: {_figure(value)}"
