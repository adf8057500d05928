"""Score detections against ground truth as pycocotools does; needs no model."""

from zoo import Detections
from zoo.metrics import detection_metrics, trivial_detections

names = ("banana", "apple")
bananas = [[10, 10, 110, 90], [30, 20, 90, 120]]
apple = [150, 40, 200, 90]
truth = [
    Detections.ground_truth([bananas[0], apple], [0, 1], names),
    Detections.ground_truth([bananas[1]], [0], names),
]
answers = [
    Detections(
        boxes=[[12, 11, 108, 92], [140, 40, 200, 100]],
        scores=[0.9, 0.6],
        labels=[0, 1],
        class_names=names,
    ),
    Detections.empty(names),  # one banana is missed
]
metrics = detection_metrics(truth, answers)
floor = detection_metrics(truth, trivial_detections(len(truth), names))
for name in ("ap", "ap50", "ap75", "ar_100", "voc07_ap50"):
    print(f"{name:10}  {metrics[name]:.3f}  answering nothing {floor[name]:.3f}")
print("a class", metrics["ap_per_class"])
