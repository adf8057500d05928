"""Tables of torchvision's segmenters, as `zoo.weights.tables` explains."""

from zoo.weights.tables import AS_IS, CONV, NORM, UNUSED, conv_table


def fcn_head_table(source="classifier"):
    """Map torchvision's FCNHead; "aux_classifier" is its auxiliary one."""
    table = {f"{source}.0.weight": ("conv/kernel", CONV)}
    table |= {f"{source}.1.{theirs}": (f"norm/{ours}", AS_IS) for theirs, ours in NORM.items()}
    return table | conv_table(f"{source}.4", "predictor")


def unused_table(table):
    """Mark every tensor of a table as one that has no place."""
    return dict.fromkeys(table, UNUSED)
