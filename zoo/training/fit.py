"""The resumable training loop: plain `fit`, started at any step."""

from pathlib import Path

from zoo.training.checkpoint import Checkpointer, RestoreMetrics, restore_checkpoint
from zoo.training.distribution import Distribution

_ALONE = Distribution()


def fit(
    task,
    stream,
    *,
    steps_per_epoch,
    epochs,
    checkpoint,
    checkpoint_steps,
    callbacks,
    report,
    stopping=None,
    distribution=_ALONE,
):
    """Train a compiled task from its checkpoint, or from the start, to the end of the last epoch.

    A run that was killed ends with the weights of one that was not: `stream` gives the batches from
    the step where the checkpoint stands, and an epoch begun is finished with its running metrics.

    Args:
        task: a compiled `zoo.Task`.
        stream: a function from a global step to the dataset of all batches from that step on.
        steps_per_epoch, epochs: the length of the run.
        checkpoint: path of the checkpoint file; if it exists the run resumes there.
        checkpoint_steps: steps between checkpoints within an epoch.
        callbacks: a function from the first step to the run's callbacks, called before each `fit`.
        report: called as report(kind, **fields), with kinds "resumed" and "checkpoint".
        stopping: an `EarlyStopping`, or None.
        distribution: that the task is attached to; call this within its scope. All processes read
            the checkpoint, the leader writes it, and it does not tell how many they were.
    Returns: the steps done in all.
    """
    task.optimizer.build(task.trainable_variables)
    done = 0
    if Path(checkpoint).exists():
        done = restore_checkpoint(checkpoint, task)
        report("resumed", step=done)
    for start, stop in _stretches(done, steps_per_epoch, epochs):
        if stopping is not None and stopping.is_over():
            break
        saver = Checkpointer(
            checkpoint,
            every_steps=checkpoint_steps,
            steps_per_epoch=steps_per_epoch,
            start_step=start,
            report=report,
            distribution=distribution,
        )
        last = [saver] if stopping is None else [stopping, saver]
        begun = [RestoreMetrics(checkpoint, distribution)] if start % steps_per_epoch else []
        task.fit(
            stream(start),
            initial_epoch=start // steps_per_epoch,
            epochs=stop // steps_per_epoch,
            steps_per_epoch=min(stop - start, steps_per_epoch),
            shuffle=False,
            callbacks=[*begun, *callbacks(start), *last],
            verbose=0,
        )
        done = saver.step
    return done


def _stretches(first, steps_per_epoch, epochs):
    """Yield (start, stop) steps: the rest of an epoch that was begun, then all whole epochs."""
    last = epochs * steps_per_epoch
    if first % steps_per_epoch:
        end_of_epoch = first - first % steps_per_epoch + steps_per_epoch
        yield first, end_of_epoch
        first = end_of_epoch
    if first < last:
        yield first, last
