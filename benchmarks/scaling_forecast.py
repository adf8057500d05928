"""Forecast training on 8 GPUs and on 8 x 8, and hold the model against what others measured.

    python benchmarks/scaling_forecast.py [--plot docs/images/scaling.png]

The model is `zoo.training.distribution.scaling`; every assumption is printed with where it comes
from. Measured steps of this machine are read from benchmarks/results/scaling.jsonl, the tables of
others from benchmarks/scaling_published.yaml. Prints Markdown.
"""

import argparse
import json
from pathlib import Path

import yaml

from zoo.training.distribution.scaling import (
    Cluster,
    Link,
    Work,
    all_reduce_seconds,
    fit_bandwidth,
    ring_seconds,
    step_seconds,
    strong_efficiency,
    weak_efficiency,
)

HERE = Path(__file__).parent
PUBLISHED = yaml.safe_load((HERE / "scaling_published.yaml").read_text())
ACHIEVED = 0.8  # of a link's own figure; what a good all-reduce gets out of PCIe or Ethernet
LATENCY = 20e-6  # a message; NCCL's between GPUs and sockets' between machines lie around it
LAUNCH = 5e-3  # a step: some hundred kernels of about 10 us, which a small batch does not hide
RESNET18_RATE = 3481.78  # pictures of 224x224 a second on one RTX 3090, mixed precision
BOOK = {"steps": (235, 118), "seconds": (12.2, 7.4), "bytes": 4 * 11.17e6}
DEVICES = (1, 2, 4, 8, 64)

ASSUMPTIONS = f"""\
- A step is computing, plus what of the all-reduce does not hide behind the backward pass, two
  thirds of it. Zoo's own groups on PyTorch and TensorFlow hide nothing.
- All-reduce: a ring within a node, then one between nodes; float32 gradients; {ACHIEVED:.0%} of a
  link's own figure, {LATENCY * 1e6:.0f} us a message.
- No two devices share a link inside a node, but for "shared PCIe": 1.5 GB/s for each of eight,
  fitted on eight RTX 3090 (see the tables). The network between nodes is one link a node.
- Input is never waited for; {LAUNCH * 1e3:.0f} ms a step do not shrink with the batch.
- ResNet-18 at 224x224: {RESNET18_RATE:.0f} pictures/s on an RTX 3090 in mixed precision
  (pytorch-image-models, results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv).
- TinySSD at 256x256: the ratio of the two models' steps on one core here, each scaled with the area
  of its pictures. A GPU's ratio is another; this is the weakest of the assumptions."""


def link(name):
    """Return a published link as the model takes it, or None."""
    return name and Link(ACHIEVED * PUBLISHED["links"][name]["bytes"], LATENCY)


def gradient_bytes(model):
    return 4 * float(PUBLISHED["parameters"][model])


def clusters():
    """Return name -> cluster of the forecasts."""
    fitted = next(one for one in PUBLISHED["tables"] if "fitted_on" in one)
    return {
        "NVLink; 100 Gbit/s": Cluster(link("nvlink_v100"), link("ethernet_100")),
        "shared PCIe; 25 Gbit/s": Cluster(cluster_of(fitted).inside, link("ethernet_25")),
    }


def cluster_of(table):
    """Return the cluster of a published table."""
    if "fitted_on" not in table:
        return Cluster(link(table["inside"]), link(table.get("between")), table.get("per_node", 8))
    model, pictures, devices = table["fitted_on"]
    rates = {tuple(row[:3]): row[3] for row in table["rows"]}
    one, all_of_them = rates[model, pictures, 1], rates[model, pictures, devices]
    work = Work(gradient_bytes(model), 1 / one)
    return Cluster(Link(fit_bandwidth(work, pictures, devices, all_of_them / devices / one)))


def pairs(table):
    """Yield (model, pictures, devices before, rate of all, devices, measured efficiency)."""
    first = {}
    for model, pictures, devices, rate in table.get("rows", ()):
        if (model, pictures) not in first:
            first[model, pictures] = devices, rate
            continue
        before, rate_before = first[model, pictures]
        measured = rate / devices / (rate_before / before)
        yield model, pictures, before, rate_before, devices, measured
    for one in table.get("efficiencies", ()):
        names = ("model", "pictures", "from", "rate", "to", "efficiency")
        yield tuple(one[name] for name in names)


def forecast(table, model, pictures, before, rate, devices):
    """Return the efficiency from `before` devices to `devices`: no overlap, whole overlap."""
    cluster, size = cluster_of(table), gradient_bytes(model)
    step = pictures * before / rate
    bare = step - all_reduce_seconds(before, size, cluster)  # what was measured has it in it
    found = []
    for computing, overlap in ((bare, 0.0), (step, 1.0)):
        work = Work(size, computing / pictures, overlap=overlap)
        first, last = (step_seconds(work, pictures, n, cluster) for n in (before, devices))
        found.append(first / last)
    return tuple(found)


def outside(measured, none, whole):
    """Return how far a measured efficiency lies outside of the forecast, 0 within it."""
    return max(none - measured, measured - whole, 0.0)


def book():
    """Return the book's pair: seconds an epoch on two GPUs, measured and twice forecast."""
    (alone, two), (first, second) = BOOK["steps"], BOOK["seconds"]
    step = first / alone
    ring = ring_seconds(2, BOOK["bytes"], link("pcie3"))
    fitted = fit_bandwidth(Work(BOOK["bytes"], step / 256), 256, 2, step / (second / two))
    # Gradients to one GPU, then weights from it: twice the bytes, one after another.
    return second, two * (step + ring), two * (step + 2 * ring), fitted


def measured_here():
    """Return the last row of each training of this machine's, by what was trained."""
    rows = [json.loads(line) for line in (HERE / "results/scaling.jsonl").read_text().splitlines()]
    names = ("model", "backend", "kind", "devices", "scaling")
    return {tuple(row[name] for name in names): row for row in rows}


def works(rows):
    """Return name -> the work of a step on one GPU."""
    seconds = {
        model: rows[model, "torch", "none", 1, "one"]["fastest_step_seconds"]
        / rows[model, "torch", "none", 1, "one"]["batch"]
        for model in ("tiny_ssd", "resnet18")
    }
    ratio = seconds["tiny_ssd"] * (256 / 128) ** 2 / (seconds["resnet18"] * (224 / 64) ** 2)
    size = rows["tiny_ssd", "torch", "none", 1, "one"]["gradient_bytes"]
    return {
        "ResNet-18, 224x224": Work(gradient_bytes("resnet18"), 1 / RESNET18_RATE, LAUNCH),
        "TinySSD, 256x256": Work(size, ratio / RESNET18_RATE, LAUNCH),
    }


def table(*heads):
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")


def print_published():
    table("published", "model, pictures a device", "devices", "measured", "no overlap",
          "whole overlap", "outside by")  # fmt: skip
    for one in PUBLISHED["tables"]:
        for model, pictures, before, rate, devices, measured in pairs(one):
            none, whole = forecast(one, model, pictures, before, rate, devices)
            figures = measured, none, whole, outside(measured, none, whole)
            told = " | ".join(f"{figure:.3f}" for figure in figures)
            print(f"| {one['name']} | {model}, {pictures} | {before} -> {devices} | {told} |")


def print_here(rows):
    """Hold the model against this machine's groups, whose sum was timed alone as well."""
    table("here", "backend", "step alone, ms", "sum alone, ms", "weak, forecast",
          "fastest steps", "computing time")  # fmt: skip
    for (model, backend, _, _, scaling), row in rows.items():
        if row["sum_seconds"] is not None and scaling == "weak":
            one = rows[model, backend, "none", 1, "one"]["fastest_step_seconds"]
            figures = f"{1e3 * one:.0f} | {1e3 * row['sum_seconds']:.0f}"
            found = [one / (one + row["sum_seconds"])]
            found += [row["efficiency_fastest"], row["efficiency_cpu"]]
            told = " | ".join(f"{efficiency:.2f}" for efficiency in found)
            print(f"| {model} | {backend} | {figures} | {told} |")


PLANS = (
    ("weak, 64 a GPU", weak_efficiency, 64),
    ("strong, 512 in all", strong_efficiency, 512),
)


def forecasts(rows):
    """Yield (model, cluster, plan, devices -> efficiency).

    A bandwidth that eight devices share says nothing of two or four of them.
    """
    for name, work in works(rows).items():
        for where, cluster in clusters().items():
            for told, efficiency, pictures in PLANS:
                known = (1, 8, 64) if "shared" in where else DEVICES
                found = {n: efficiency(work, pictures, n, cluster) for n in known}
                yield name, where, told, found


def print_forecasts(rows):
    table("model", "cluster", "scaling", *map(str, DEVICES))
    for name, where, told, found in forecasts(rows):
        figures = [f"{found[n]:.2f}" if n in found else "" for n in DEVICES]
        print(f"| {name} | {where} | {told} | {' | '.join(figures)} |")


def plot(rows, path):
    """Draw forecasts as lines, measured efficiencies as points."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.8), sharey=True)
    for axis, (plan, _, _) in zip(axes, PLANS, strict=True):
        for name, where, told, found in forecasts(rows):
            if told == plan:
                style = "-" if "NVLink" in where else "--"
                colour = "C0" if "ResNet" in name else "C1"
                axis.plot(
                    *zip(*found.items(), strict=True), style, color=colour, label=f"{name}, {where}"
                )
        _points(axis, rows, plan.split(",")[0])
        axis.set_xscale("log", base=2)
        axis.set_xticks(DEVICES, [str(n) for n in DEVICES])
        axis.set(title=plan, xlabel="devices", ylim=(0, 1.1))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("efficiency")
    handles = {}
    for axis in axes:
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=3, fontsize=7)
    figure.tight_layout(rect=(0, 0.17, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _points(axis, rows, scaling):
    markers = {"torch": "o", "tensorflow": "s", "jax": "^"}
    for (model, backend, kind, devices, how), row in rows.items():
        if how == scaling and kind != "model_parallel":
            axis.plot(
                devices,
                row["efficiency_cpu"],  # by the clock it is the machine's other work too
                markers[backend],
                color="C0" if model == "resnet18" else "C1",
                mec="k",
                label=f"computing time on two cores: {backend}",
            )
    tables = [one for one in PUBLISHED["tables"] if "fitted_on" not in one]
    found = [(one[4], one[5]) for table in tables for one in pairs(table) if one[2] == 1]
    if scaling == "weak":
        near = [point for point in found if point[0] <= DEVICES[-1]]
        axis.plot(*zip(*near, strict=True), "x", color="0.5", label="published, other models")


def print_book():
    measured, ring, through_one, fitted = book()
    print(
        "\nThe book's ResNet-18, 256 pictures a GPU, 12.2 s an epoch on one GPU. On two "
        f"{measured} s measured; {ring:.1f} forecast for a ring on PCIe 3.0 "
        f"({ring / measured - 1:+.0%}), {through_one:.1f} where gradients go to one GPU and "
        f"weights come back ({through_one / measured - 1:+.0%}). A ring would need "
        f"{fitted / 1e9:.1f} GB/s to lose what was lost."
    )


def main():
    """Print the assumptions, the checks and the forecasts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    print(ASSUMPTIONS)
    print_book()
    print_published()
    rows = measured_here()
    print_here(rows)
    print_forecasts(rows)
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
