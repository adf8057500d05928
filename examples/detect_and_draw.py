"""Find objects in a picture and draw them: detect_and_draw.py MODEL.keras PICTURE OUT.png"""

import sys

from PIL import Image

import zoo
from zoo.draw import draw_detections
from zoo.pictures import read_picture

model, picture, out = sys.argv[1:]
task = zoo.load(model)
found = task.detect(picture)[0].above(0.3)  # a path, bytes, a uint8 array, or a list of them
for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True):
    print(found.name(label), f"{score:.2f}", box.round().tolist())  # pixels of the picture, xyxy

Image.fromarray(draw_detections(read_picture(picture), found)).save(out)
