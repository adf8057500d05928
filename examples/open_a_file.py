"""Open a published file with Keras alone.

python open_a_file.py MODEL.keras PICTURE

The file is the whole model: pixels in, padded detections out.
"""

import sys

import keras
import numpy as np
from PIL import Image

import zoo  # noqa: F401  registers the layers

model = keras.saving.load_model(sys.argv[1])
height, width = model.image_converter.image_size
picture = Image.open(sys.argv[2]).convert("RGB").resize((width, height))
outputs = model.predict(np.asarray(picture)[None], verbose=0)  # 0..255

print(int(outputs["num"][0]), "detections; the rows behind are padding")
for row in range(3):  # the best come first
    label, score = outputs["labels"][0, row], outputs["scores"][0, row]
    box = outputs["boxes"][0, row]  # xyxy, fractions of the network's input
    name = model.class_names[label] if label >= 0 else "-"
    print(name, f"{score:.2f}", box.round(2))
