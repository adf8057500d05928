"""Set the process up before Keras is imported; the backend comes from KERAS_BACKEND."""

import os
import signal

from flows.runtime import prepare_process

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
prepare_process(os.environ["KERAS_BACKEND"])
# A run in the background ignores the interrupt, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
