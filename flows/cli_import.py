"""The command `zoo import`: models of other libraries."""

from pathlib import Path
from typing import Annotated

import typer


def import_model(
    architecture: Annotated[
        str, typer.Argument(help="Such as torchvision:fasterrcnn_resnet50_fpn.")
    ],
    file: Annotated[Path, typer.Argument(help="Its state dict: .pth, .pt or .safetensors.")],
    out: Annotated[Path, typer.Option(help="The .keras file to write.")],
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A class name a line; else COCO's, VOC's or class_0 ..."),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=64, help="Side of the network's input, pixels.")
    ] = None,
    norm_epsilon: Annotated[
        float | None,
        typer.Option(min=0.0, help="Of the batch norms; torchvision publishes with 0."),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="tensorflow, jax, torch or auto.", show_default="auto")
    ] = None,
) -> None:
    """Convert a checkpoint of torchvision's to a .keras model.

    Known: torchvision:ssd300_vgg16, torchvision:fasterrcnn_resnet50_fpn,
    torchvision:maskrcnn_resnet50_fpn and torchvision:fcn_resnet50.
    """
    from flows.worker_process import run_verb

    options = {"classes": classes, "image-size": image_size, "norm-epsilon": norm_epsilon}
    arguments = [f"--{name}={value}" for name, value in options.items() if value is not None]
    arguments += [f"--out={out}", "--", architecture, str(file)]
    run_verb("import", arguments, backend=backend or "auto")
    print(out)
