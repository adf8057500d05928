"""The table that decided on a version, signed: in the run folder and on the two pages."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.promote import Decision
from flows.provenance import machine
from flows.run_pages import artifact_key, harmless
from flows.verification import Evidence
from flows.whole_files import write_json


def sign(
    name: str, version: str, evidence: Evidence, decision: Decision, file: Path, run_id: str
) -> None:
    """Write the table to the run folder and to the pages of run, version and flow run."""
    table = signed(name, version, evidence, decision)
    write_json(file, table, indent=1)
    text = markdown(table)
    client = MlflowClient()
    client.log_artifact(run_id, str(file))
    client.log_text(run_id, text, "gate.md")
    client.update_model_version(name, version, text)
    with harmless("the gate's artifact"):
        create_markdown_artifact(
            text, key=artifact_key(name, "gate"), description="why it is the champion, or is not"
        )


def signed(name: str, version: str, evidence: Evidence, decision: Decision) -> dict[str, Any]:
    """Return the table as plain data."""
    here = machine()
    return {
        "model": f"models:/{name}/{version}",
        "champion": None if evidence.champion is None else f"models:/{name}/{evidence.champion}",
        "promoted": decision.promote,
        "reasons": decision.reasons,
        "checks": [
            {
                "condition": check.condition,
                "champion": check.champion,
                "challenger": check.challenger,
                "wanted": check.wanted,
                "met": check.met,
            }
            for check in decision.checks
        ],
        "pictures": evidence.pictures,
        "count": evidence.count,
        "scored_on": evidence.backend,
        "signed": {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": "gate",
            "user": here["user"],
            "host": here["host"],
            "flow_run": str(flow_run.id),
        },
    }


def markdown(table: dict[str, Any]) -> str:
    """Return the table for a page."""
    verdict = "promoted" if table["promoted"] else "not promoted"
    against = f" against {table['champion']}" if table["champion"] else ", the first of its name"
    lines = [f"**{table['model']}**{against}: **{verdict}**", ""]
    if table["checks"]:
        lines += ["| condition | champion | challenger | wanted | met |", "|---|---|---|---|---|"]
        lines += [
            "| " + " | ".join(map(_cell, (*list(check.values())[:-1], _met(check)))) + " |"
            for check in table["checks"]
        ]
    else:
        lines += [f"- {reason}" for reason in table["reasons"]]
    count = "" if table["count"] is None else f"{table['count']:,} pictures: "
    by = table["signed"]
    lines += [
        "",
        f"{count}`{table['pictures']}`, scored on {table['scored_on']}.",
        "",
        f"Signed {by['at']} by the {by['by']}, flow run {by['flow_run']}, for {by['user']} on "
        f"{by['host']}.",
    ]
    return "\n".join(lines) + "\n"


def _met(check: dict[str, Any]) -> str:
    return "yes" if check["met"] else "**no**"


def _cell(text: object) -> str:
    return str(text).replace("|", "/")
