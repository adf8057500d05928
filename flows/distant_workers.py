"""Workers that a cluster starts and starts again, seen from the controller: they are only followed.

What `flows.launch` describes runs on other machines, on a run folder that all of them see. Whether
they are alive cannot be told from here, and need not be: Kubernetes and SLURM see to that. So the
journal alone is read, until it tells the end.
"""

import time
from collections.abc import Iterator

from flows.journal import JournalReader
from flows.run_folder import RunFolder
from flows.runtime import UserError

POLL_SECONDS = 1.0


class DistantWorkers:
    """The processes that train one run somewhere else.

    Args:
        folder: the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.seconds = 0.0  # that was waited for them
        self.restarts = 0  # the cluster counts them

    def follow(self) -> Iterator[dict | None]:
        """Yield the journal's events until the run is finished; None where nothing is new.

        Raises:
            UserError: the workers found the user's mistake, which ends the job as well.
        """
        began = time.monotonic()
        try:
            reader = JournalReader(self.folder.journal)
            while True:
                events = reader.poll()
                yield from events
                if any(event["kind"] == "finished" for event in events):
                    return
                if events and events[-1]["kind"] == "failed":
                    raise UserError(events[-1]["reason"])
                yield None
                time.sleep(POLL_SECONDS)
        finally:
            self.seconds = time.monotonic() - began

    def stop(self) -> None:
        """Leave them alone: they are the cluster's to end, and another controller may follow."""
