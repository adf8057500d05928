"""Open a published file with Keras alone: open_a_file.py MODEL.keras PICTURE

The file is the whole model: pixels in, padded detections out, thresholds and names included.
"""

import sys

import keras
import numpy as np
from PIL import Image

import zoo  # noqa: F401  registers the layers

model = keras.saving.load_model(sys.argv[1])
height, width = model.image_converter.image_size
picture = Image.open(sys.argv[2]).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
outputs = model.predict(np.asarray(picture)[None], verbose=0)  # (1, H, W, 3), 0..255

print(int(outputs["num"][0]), "detections; the rows behind are padding")
for row in range(3):  # the best come first
    label, score = outputs["labels"][0, row], outputs["scores"][0, row]
    box = outputs["boxes"][0, row]  # xyxy, fractions of the network's input
    print(model.class_names[label] if label >= 0 else "-", f"{score:.2f}", box.round(2).tolist())
