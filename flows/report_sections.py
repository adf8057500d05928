"""The parts of a report that tell of the run: its outcome, training, data, time and place."""

from typing import Any

from markupsafe import Markup

from flows.figures import brief_names, scalars
from flows.hardware_tables import layer_rows, machine_rows, step_rows
from flows.page import Charts, Table, Text
from flows.run_facts import RunFacts
from flows.summary import describe_defects
from flows.svg_charts import Line, line_chart
from flows.svg_roofline import roofline_chart

Blocks = list[Table | Charts | Text]
Rows = list[list[Any]]
_MANY = 12  # classes, beyond which a table is folded
_SHOWN = 20  # lines of what happened on the way
_SPREADS = {
    "boxes_per_picture": "boxes a picture",
    "box_size": "box size, of the picture's side",
    "box_aspect": "box width / height",
    "picture_width": "picture width, pixels",
    "picture_height": "picture height, pixels",
}
_QUANTILES = ("smallest", "p5", "median", "mean", "p95", "largest")


def outcome(facts: RunFacts) -> Blocks:
    """Return what the run came to, and every figure."""
    blocks: Blocks = []
    if rows := _verdict_rows(facts):
        blocks.append(Table(("", ""), rows))
    figures = scalars(facts.metrics)
    whole = {name: value for name, value in figures.items() if "_class/" not in name}
    if whole:
        blocks.append(Table(*_figures(facts, whole), caption="Figures"))
    return blocks


def training(facts: RunFacts) -> Blocks:
    """Return the curves of losses, scores, learning rate and speed."""
    charts = []
    losses = [Line("a step", facts.curve("train/step_loss"), "plain", 7)]
    losses.append(Line("training, an epoch", facts.curve("train/loss"), number=0))
    losses.append(Line("validation", facts.curve("val/loss"), number=1))
    if any(line.points for line in losses):
        charts.append(_over_steps(facts, losses, title="Loss", y="loss", log_y=True))
    if scores := _score_lines(facts):
        charts.append(_over_steps(facts, scores, title="Scores", y="score", within=(0.0, 1.0)))
    for metric, title, unit in (
        ("train/learning_rate", "Learning rate", "learning rate"),
        ("train/pictures_per_second", "Speed", "pictures a second"),
    ):
        if points := facts.curve(metric):
            charts.append(_over_steps(facts, [Line("", points, "plain")], title=title, y=unit))
    blocks: Blocks = [Charts(charts)] if charts else []
    if rows := _incidents(facts):
        blocks.append(Table(("", ""), rows, caption="On the way"))
    return blocks


def data(facts: RunFacts) -> Blocks:
    """Return what the splits hold."""
    started = facts.started
    if not started:
        return []
    counted = facts.details.get("data", {})
    boxed, segmented = facts.kind == "detection", facts.kind == "segmentation"
    columns = ["looked at", *(["boxes", "without any"] if boxed else [])]
    keys = ["pictures", *(["boxes", "empty_pictures"] if boxed else [])]
    rows = [
        [
            split,
            started.get(f"{split}_size"),
            *(counted.get(split, {}).get(key) for key in keys),
            digest[:12],
        ]
        for split, digest in facts.data_digest.items()
    ]
    blocks: Blocks = [Table(["split", "pictures", *columns, "digest"], rows)]
    blocks.append(Text(f"Defects: {describe_defects(started.get('defects', {})) or 'none'}."))
    if counts := _class_counts(counted):
        of = "pixels" if segmented else "boxes" if boxed else "pictures"
        names = ["class", *(f"{split}, {of}" for split in counted)]
        many = len(counts) > _MANY
        blocks.append(Table(names, counts, caption="Classes of the data", folded=many))
    if spreads := _spreads(counted, boxed):
        blocks.append(Table(("of", "split", *_QUANTILES), spreads, caption="Sizes"))
    return blocks


def time(facts: RunFacts) -> Blocks:
    """Return where the time went."""
    told = facts.seconds()
    rows: Rows = [
        [name, round(told[key], 2)]
        for key, name in (
            ("total", "the whole command"),
            ("worker", "training worker, from start to end"),
            ("step", "of it, training steps"),
            ("data", "of it, waiting for data"),
            ("scoring", "scoring in fresh processes"),
            ("controller", "the rest: Prefect, MLflow, registering"),
        )
        if key in told
    ]
    blocks: Blocks = [Table(("", "seconds"), rows)] if rows else []
    if rate := facts.rate():
        speed = f"{rate:.4g} pictures a second in training (median)"
        if facts.scores.get("seconds"):
            scored = facts.scores["pictures"] / facts.scores["seconds"]
            speed += f", {scored:.4g} when it was scored, compiling included"
        blocks.append(Text(f"{speed}."))
    return blocks


def hardware(facts: RunFacts) -> Blocks:
    """Return the roofline and its tables."""
    report = facts.hardware
    if "roofline" not in report:
        return []
    layers = ("layer", "kind", "passes", "GFLOP", "MB", "bound by", "ms at its limit")
    return [
        Charts([roofline_chart(report["roofline"])]),
        Table(("", ""), step_rows(report)),
        Table(layers, layer_rows(report, 10), caption="The heaviest layers", folded=True),
    ]


def environment(facts: RunFacts) -> Blocks:
    """Return what it ran on and with, and how to run it again."""
    origin, started = facts.origin, facts.started
    rows: Rows = []
    if started:
        versions = started.get("versions", {}) | origin.get("versions", {})
        rows.append(["versions", ", ".join(f"{key} {value}" for key, value in versions.items())])
        rows.append(["weights", f"{started['num_params']:,} numbers"])
    if commit := origin.get("git_commit"):
        rows.append(["commit", commit])
    if machine := origin.get("machine"):
        rows += [[key, value] for key, value in machine.items()]
    rows.append(["run folder", str(facts.folder.path)])
    blocks: Blocks = [Table(("", ""), rows)]
    if facts.hardware:
        blocks.append(
            Table(("", ""), machine_rows(facts.hardware), caption="The machine", folded=True)
        )
    if facts.folder.config.exists():
        text = facts.folder.config.read_text(encoding="utf-8")
        blocks.append(Text("The configuration, every default written out", listing=text))
    return blocks


def _verdict_rows(facts: RunFacts) -> Rows:
    told = facts.summary
    if not told:
        return []
    verdict = "champion" if told["promoted"] else "not promoted"
    return [
        ["gate", ": ".join(filter(None, (verdict, "; ".join(told["reasons"]))))],
        ["version", f"models:/{told['name']}/{told['version']}"],
        ["called", ", ".join(f"@{alias}" for alias in told["aliases"]) or "-"],
        ["trained on", f"{told['backend']} ({told['backend_reason']})"],
        ["precision", f"{told['precision']} ({told['precision_reason']})"],
        ["figures from", f"a fresh process on {told['verified_on']}"],
    ]


def _figures(facts: RunFacts, names: dict[str, float]) -> tuple[list[str], Rows]:
    """Return columns and rows of the metrics beside the floor and the split `test`."""
    others = {"answering nothing": scalars(facts.trivial), "on the test split": scalars(facts.test)}
    others = {title: values for title, values in others.items() if values}
    rows = [
        [name, value, *(values.get(name) for values in others.values())]
        for name, value in names.items()
    ]
    return ["metric", "model" if facts.verified else "in training", *others], rows


def _over_steps(facts: RunFacts, lines: list[Line], **options) -> Markup:
    """Draw lines over all steps of the run, so that charts below each other agree."""
    return line_chart(lines, x="step", across=(0.0, float(facts.last_step or 1)), **options)


def _score_lines(facts: RunFacts) -> list[Line]:
    """Return the scores of the evaluations that a summary would show."""
    names = brief_names(facts.evaluated)
    return [Line(name, facts.curve(f"val/{name}")) for name in names]


def _incidents(facts: RunFacts) -> Rows:
    """Return what a smooth training has not: resumptions, an early stop, failures."""
    if not facts.events:
        return []
    begun = facts.events[0]["time"]
    words = {
        "resumed": "a worker went on from step {step}",
        "stopped": "stopped early: {metric} was best after step {best_step}, {best:.4f}",
        "failed": "failed: {reason}",
    }
    told = [
        [_after(event["time"] - begun), words[event["kind"]].format_map(event)]
        for event in facts.events
        if event["kind"] in words
    ]
    return told[-_SHOWN:]


def _after(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def _class_counts(counted: dict[str, dict]) -> Rows:
    """Return a row a class: boxes, or pixels, of each split."""
    classes = [told.get("classes", {}) for told in counted.values()]
    names = dict.fromkeys(name for of_split in classes for name in of_split)
    return [[name, *(_count(of_split.get(name, {})) for of_split in classes)] for name in names]


def _count(told: dict[str, int]) -> int:
    return told.get("pixels", told.get("boxes", 0))


def _spreads(counted: dict[str, dict], boxed: bool) -> Rows:
    return [
        [title, split, *(round(told[key][name], 4) for name in _QUANTILES)]
        for key, title in _SPREADS.items()
        if boxed or key.startswith("picture")
        for split, told in counted.items()
        if told.get(key)
    ]
