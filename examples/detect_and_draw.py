"""Find objects in a picture and draw them.

python detect_and_draw.py MODEL.keras PICTURE OUT.png
"""

import sys

from PIL import Image

import zoo
from zoo.draw import draw_detections
from zoo.pictures import read_picture

model, picture, out = sys.argv[1:]
task = zoo.load(model)
# Takes a path, bytes, a uint8 array or a list of them; gives one answer each.
found = task.detect(picture)[0].above(0.3)
for index, box in enumerate(found.boxes):  # pixels of the picture, xyxy
    name, score = found.name(found.labels[index]), found.scores[index]
    print(name, f"{score:.2f}", box.round().tolist())

Image.fromarray(draw_detections(read_picture(picture), found)).save(out)
