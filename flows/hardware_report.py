"""A training step under the ceilings of its machine: the figures, the files and the picture.

Worker side. All figures are of one device. A CPU that a process divides into several logical
devices has its ceilings divided by their number; the processes of a group measure theirs each with
its own threads, while the others wait.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from flows import machine

REPORT, PICTURE = "hardware.json", "roofline.png"
_LAYERS_SHOWN = 10


def describe(
    rates: dict[str, Any],
    work,
    *,
    seconds: float | None,
    pipeline: float | None,
    devices: int = 1,
    logical: int = 1,
) -> dict[str, Any]:
    """Return the report of a step.

    Args:
        rates: of `hardware_rates`.
        work: a `zoo.hardware.StepWork` of one device; None: no step, the machine alone.
        seconds: of a step, the median; None: no step was timed.
        pipeline: pictures a second of the input pipeline alone, for all devices; None: unknown.
        devices: that train together.
        logical: of them, those that share this process' CPU.
    """
    report = {
        "machine": machine.describe(rates["backend"]),
        "rates": rates,
        "told": time.time(),
    }
    if work is None:
        return report
    return report | {
        "devices": devices,
        "step": _step(work, seconds, devices),
        "roofline": _roofline(rates, work, seconds, logical),
        "layers": _heaviest(rates, work, logical),
        "pipeline": _pipeline(work, seconds, pipeline, devices),
    }


def metrics(report: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a report that are logged with a run, None left out."""
    step, roof, pipeline = report["step"], report["roofline"], report["pipeline"]
    told = {
        "operations_per_step": step["operations"],
        "bytes_per_step": step["bytes"],
        "step_seconds": step["seconds"],
        "intensity": roof["intensity"],
        "ridge": roof["ridge"],
        "peak_operations_per_second": roof["peak"],
        "bandwidth_bytes_per_second": roof["bandwidth"],
        "limit_operations_per_second": roof["limit"],
        "achieved_operations_per_second": roof["achieved"],
        "achieved_fraction": roof["fraction"],
        "step_pictures_per_second": pipeline["step"],
        "pipeline_pictures_per_second": pipeline["alone"],
    }
    return {f"hardware/{key}": value for key, value in told.items() if value is not None}


def facts(report: dict[str, Any]) -> dict[str, Any]:
    """Return what is logged with a run in words."""
    known, rates = report["machine"], report["rates"]
    return {
        "processor": known["processor"],
        "cores_usable": known["cores_usable"],
        "memory": known["memory"],
        "kind": known["kind"],
        "devices": report["devices"],
        "dtype": report["step"]["dtype"],
        "bound": report["roofline"]["bound"],
        "feeding": report["pipeline"]["verdict"],
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(rates["measured"])),
    }


def write(report: dict[str, Any], folder: Path) -> None:
    """Write the report to a folder, whole or not at all."""
    text = json.dumps(report, indent=1) + "\n"
    _write(folder / REPORT, lambda part: part.write_text(text, encoding="utf-8"))


def read(folder: Path) -> dict[str, Any] | None:
    """Return a folder's report, or None."""
    file = folder / REPORT
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def write_picture(report: dict[str, Any], folder: Path, *, title: str) -> None:
    """Draw the roofline to a folder, whole or not at all."""
    picture = Image.fromarray(draw(report, title=title))
    _write(folder / PICTURE, lambda part: picture.save(part, "PNG"))


def _write(file: Path, write_to: Callable[[Path], object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    write_to(part)
    part.replace(file)


def draw(report: dict[str, Any], *, title: str):
    """Return the picture, (H, W, 3) uint8; without a step, the ceilings alone."""
    from zoo.draw_roofline import draw_roofline

    roof = report.get("roofline")
    if roof is None:
        peaks, bandwidth = _ceilings(report["rates"], 1)
        return draw_roofline(peaks, bandwidth, {}, dtype="float32", title=title)
    points = {
        "training step": (roof["intensity"], roof["achieved"], roof["limit"]),
        "forward alone": (roof["forward_intensity"], None, roof["forward_limit"]),
    }
    return draw_roofline(roof["peaks"], roof["bandwidth"], points, dtype=roof["dtype"], title=title)


def _ceilings(rates, logical) -> tuple[dict[str, float], float]:
    """Return operations a second by dtype and bytes a second, of one device."""
    peaks = {
        dtype: rate["operations_per_second"] / logical
        for dtype, rate in rates["matrix"].items()
        if rate is not None
    }
    return peaks, rates["memory"]["bytes_per_second"] / logical


def _step(work, seconds, devices) -> dict[str, Any]:
    return {
        "pictures": work.pictures,
        "devices": devices,
        "dtype": work.dtype,
        "operations": work.operations,
        "bytes": work.bytes,
        "forward_operations": work.forward_operations,
        "forward_bytes": work.forward_bytes,
        "optimizer_bytes": work.optimizer_bytes,
        "seconds": seconds,
        "uncounted": list(work.uncounted),
    }


def _roofline(rates, work, seconds, logical) -> dict[str, Any]:
    from zoo.hardware import Roofline, least_seconds

    peaks, bandwidth = _ceilings(rates, logical)
    dtype = work.dtype if work.dtype in peaks else "float32"
    step = Roofline(work.operations, work.bytes, peaks[dtype], bandwidth, seconds)
    forward = Roofline(work.forward_operations, work.forward_bytes, peaks[dtype], bandwidth)
    parts = [(one.total_operations, one.total_bytes, one.dtype) for one in work.layers]
    by_layers = least_seconds([*parts, (0.0, work.optimizer_bytes, dtype)], peaks, bandwidth)
    return {
        "dtype": dtype,
        "peaks": peaks,
        "peak": step.peak,
        "bandwidth": bandwidth,
        "intensity": step.intensity,
        "ridge": step.ridge,
        "limit": step.limit,
        "bound": step.bound,
        "achieved": step.achieved,
        "fraction": step.fraction,
        "least_seconds": step.operations / step.limit if step.limit else by_layers,
        "least_seconds_by_layers": by_layers,
        "forward_intensity": forward.intensity,
        "forward_limit": forward.limit,
    }


def _heaviest(rates, work, logical) -> list[dict[str, Any]]:
    """Return the layers that take longest at their own limits, the longest first."""
    from zoo.hardware import Roofline, least_seconds

    peaks, bandwidth = _ceilings(rates, logical)
    rows = [
        {
            "name": one.name,
            "kind": one.kind,
            "passes": one.passes,
            "operations": one.total_operations,
            "bytes": one.total_bytes,
            "bound": Roofline(
                one.total_operations,
                one.total_bytes,
                peaks.get(one.dtype, peaks["float32"]),
                bandwidth,
            ).bound,
            "least_seconds": least_seconds(
                [(one.total_operations, one.total_bytes, one.dtype)], peaks, bandwidth
            ),
        }
        for one in work.layers
        if one.total_bytes
    ]
    return sorted(rows, key=lambda row: -row["least_seconds"])[:_LAYERS_SHOWN]


def _pipeline(work, seconds, alone, devices) -> dict[str, Any]:
    from zoo.hardware import feeding

    step = work.pictures * devices / seconds if seconds else None
    if step is None or alone is None:
        return {"alone": alone, "step": step, "verdict": "unknown"}
    return {"alone": alone, "step": step, "verdict": feeding(alone, step)}
