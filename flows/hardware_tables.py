"""The hardware report as tables that a person reads."""

import time
from typing import Any

from flows.console import show_table

Row = list[object]
_BUSY = 0.1  # of the cores, by others


def show_report(report: dict[str, Any]) -> None:
    """Print the machine, and the training step where there is one."""
    show_table(["machine", "found"], machine_rows(report))
    if "step" not in report:
        return
    print()
    show_table(["training step", "found"], step_rows(report))
    print()
    columns = ["layer", "kind", "passes", "GFLOP", "MB", "bound by", "ms at its limit"]
    show_table(columns, layer_rows(report), title="the layers whose own limits take longest")


def machine_rows(report: dict[str, Any]) -> list[Row]:
    """Return topic and fact of the machine and its ceilings."""
    known, rates = report["machine"], report["rates"]
    rows: list[Row] = [
        ["processor", known["processor"]],
        ["cores", _cores(known)],
        ["caches", ", ".join(_cache(cache) for cache in known["caches"]) or "unknown"],
        ["memory", f"{_gib(known['memory'])}, {_gib(known['memory_available'])} of it available"],
        ["devices", f"{', '.join(rates['devices'])} ({rates['backend']})"],
    ]
    rows += [[one["name"], f"{_gib(one['memory'])} of memory"] for one in known["accelerators"]]
    rows += [[f"matrices, {name}", _matrix(name, rate)] for name, rate in rates["matrix"].items()]
    memory, copy = rates["memory"], rates["copy"]
    rows.append(
        [
            "memory bandwidth",
            f"{_giga(memory['bytes_per_second'])} GB/s (triad over {_mib(memory['working_set'])})",
        ]
    )
    rows.append(["host to device", _copy(copy, known["kind"])])
    rows.append(["measured", _measured(rates)])
    return rows


def step_rows(report: dict[str, Any]) -> list[Row]:
    """Return topic and fact of a training step."""
    step, roof, pipeline = report["step"], report["roofline"], report["pipeline"]
    rows: list[Row] = [
        ["pictures a step and device", f"{step['pictures']:g} on {step['devices']} device(s)"],
        ["operations", f"{_giga(step['operations'])} GFLOP, {_forward(step, 'operations')}"],
        ["bytes", f"{step['bytes'] / 1e6:.4g} MB, {_forward(step, 'bytes')}"],
        [
            "arithmetic intensity",
            f"{roof['intensity']:.3g} operations a byte; the ridge is at {roof['ridge']:.3g}",
        ],
        ["bound by", f"{roof['bound']} ({step['dtype']})"],
        ["limit", f"{_giga(roof['limit'])} GFLOP/s, {_ms(roof['least_seconds'])} a step"],
        ["limit, layer by layer", f"{_ms(roof['least_seconds_by_layers'])} a step"],
    ]
    if step["seconds"]:
        rows += [
            ["measured", f"{_giga(roof['achieved'])} GFLOP/s, {_ms(step['seconds'])} a step"],
            ["of the limit", _percent(roof["fraction"])],
            ["input pipeline alone", f"{_rate(pipeline['alone'])} pictures/s"],
            ["training step alone", f"{_rate(pipeline['step'])} pictures/s"],
            ["the device is", pipeline["verdict"]],
        ]
    if step["uncounted"]:
        rows.append(["not counted", ", ".join(step["uncounted"])])
    return rows


def layer_rows(report: dict[str, Any], count: int = 5) -> list[Row]:
    """Return a row for each of the heaviest layers."""
    return [
        [
            row["name"],
            row["kind"],
            row["passes"],
            row["operations"] / 1e9,
            row["bytes"] / 1e6,
            row["bound"],
            row["least_seconds"] * 1e3,
        ]
        for row in report["layers"][:count]
    ]


def _cores(known: dict[str, Any]) -> str:
    physical = known["cores_physical"] or "unknown"
    return (
        f"{physical} physical, {known['cores_logical']} logical, {known['cores_usable']} usable "
        "by this process"
    )


def _cache(cache: dict[str, Any]) -> str:
    kind = {"Data": "d", "Instruction": "i"}.get(cache["kind"], "")
    size = cache["bytes"] / 2**10
    shown = f"{size:g} KiB" if size < 1024 else f"{size / 1024:g} MiB"
    return f"L{cache['level']}{kind} {cache['count']} x {shown}"


def _matrix(dtype: str, rate: dict[str, Any] | None) -> str:
    if rate is None:
        return "not done by this backend"
    unit = "GOP/s" if dtype.startswith("int") else "GFLOP/s"
    return f"{_giga(rate['operations_per_second'])} {unit} (side {rate['side']})"


def _copy(copy: dict[str, Any], kind: str) -> str:
    if copy["bytes_per_second"] is None:
        return "none: the device reads NumPy's memory where it is"
    speed = f"{_giga(copy['bytes_per_second'])} GB/s"
    return f"{speed} (a copy within memory: the device is the CPU)" if kind == "cpu" else speed


def _measured(rates: dict[str, Any]) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(rates["measured"]))
    share = rates["busy"]
    told = "; NOT IDLE: the ceilings may be higher" if share > _BUSY else ""
    return f"{when}, {100 * share:.0f} % of the cores taken by others{told}"


def _forward(step: dict[str, Any], what: str) -> str:
    share = step[f"forward_{what}"] / step[what] if step[what] else 0.0
    return f"{100 * share:.0f} % of them forward"


def _percent(fraction: float) -> str:
    above = " (a ceiling was measured too low: was the machine busy?)" if fraction > 1 else ""
    return f"{100 * fraction:.1f} %{above}"


def _rate(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.4g}"


def _giga(value: float) -> str:
    return f"{value / 1e9:.4g}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g} ms"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
