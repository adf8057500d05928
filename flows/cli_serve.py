"""The command `zoo serve`: a model behind HTTP, and a page to drop pictures on."""

import os
from pathlib import Path
from typing import Annotated

import typer

_LEAST_TOKEN = 16  # characters: what is shorter can be tried out


def serve(
    model: Annotated[
        str,
        typer.Argument(help="NAME@champion or NAME/3 of the registry, a .keras file, a folder."),
    ],
    host: Annotated[
        str, typer.Option(help="Where to listen; other than this machine needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the token that requests must bring."),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="tensorflow, jax, torch or auto.", show_default="auto")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures the model sees at once, at most.")
    ] = 8,
    linger: Annotated[
        float,
        typer.Option(metavar="MS", min=0.0, help="That an incomplete batch waits for more."),
    ] = 5.0,
    queue: Annotated[
        int, typer.Option(min=1, help="Pictures that may wait; more are answered 429.")
    ] = 64,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="For reading and answering.")
    ] = 10.0,
    megabytes: Annotated[float, typer.Option(min=0.001, help="Of a request, at most.")] = 16.0,
    megapixels: Annotated[float, typer.Option(min=0.001, help="Of a picture, at most.")] = 25.0,
    poll: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, help="Between two looks at where NAME@alias is."),
    ] = 5.0,
) -> None:
    """Answer pictures over HTTP, and show a page to drop them on.

    JPEG and PNG to /predict, or JSON as `mlflow models serve` takes it, also at /invocations;
    /health/live, /health/ready, /metrics. When the alias moves, the new version takes over without
    a request being lost. SIGTERM or ctrl-C: what was accepted is answered first.
    """
    from flows.run_folder import default_home
    from flows.serve import Serving, require_token
    from flows.serve import serve as run_server
    from flows.serve_limits import Limits
    from flows.serve_terms import Terms
    from flows.serve_versions import open_versions

    token = _token(token_file)
    require_token(host, token)
    limits = Limits(megabytes, megapixels, pictures=min(Limits.pictures, queue))
    terms = Terms(limits, seconds=timeout, room=queue, token=token)
    serving = Serving(host, port, backend or "auto", terms, batch, linger / 1000, poll)
    with open_versions(model, default_home()) as versions:
        run_server(versions, serving)


def _token(file: Path | None) -> str | None:
    from flows.runtime import UserError

    try:
        text = os.environ.get("ZOO_TOKEN") if file is None else file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"--token-file {file}: cannot be read ({reason})") from None
    if text is None:
        return None
    if len(text) < _LEAST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        where = "ZOO_TOKEN" if file is None else f"--token-file {file}"
        raise UserError(
            f"{where}: a token has at least {_LEAST_TOKEN} printable characters and no spaces; "
            "openssl rand -hex 32 makes one"
        )
    return text
