"""Files that mean harm or are broken, by the door they come to; some are known, most are mutated.

`corpus(kind, folder)` writes them and yields (name, path). What would run code or leave its folder
makes the file `pwned` beside the folder, if somebody lets it.
"""

import base64
import io
import json
import os
import pickle
import random
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.test_fuzz import mutate
from tests.data.tiny_sets import (
    huge,
    picture,
    png,
    voc_object,
    voc_xml,
    write_coco_set,
    write_voc,
)

MUTATED = 40  # of each valid file
DEEP = 100_000  # brackets within brackets
_ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(  # 10**12 values
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def corpus(kind: str, folder: Path):
    """Write the hostile files of a kind below a folder and yield (name, path)."""
    for number, (name, content) in enumerate(_KINDS[kind](folder)):
        if isinstance(content, Path):  # a data set, which is written already
            yield name, content
            continue
        path = folder / f"{number:03d}-{name}"
        path.write_bytes(content)
        yield name, path


def _mutated(name: str, content: bytes, count: int = MUTATED):
    for seed in range(count):
        stem, dot, suffix = name.rpartition(".")
        yield f"{stem}-{seed}{dot}{suffix}", mutate(content, random.Random(seed))


def pictures(_folder):
    """Pictures that lie about their size, are cut short, or are none."""
    jpeg, plain = picture(), picture("PNG")
    for cut in (0, 1, 2, 10, 100, len(jpeg) // 2, len(jpeg) - 2):
        yield f"cut{cut}.jpg", jpeg[:cut]
        yield f"cut{cut}.png", plain[:cut]
    for width, height in (
        (100_000, 100_000),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (0, 5),
        (60_000, 60_000),
    ):
        yield f"claims{width}x{height}.png", huge(width, height)
    yield "bomb.png", png(9_000, 9_000, zlib.compress(bytes(9_000 * 1_126)))
    yield "text.jpg", b"not a picture at all"
    yield "page.jpg", b"<html><script>alert(1)</script></html>"
    yield "entity.svg", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(pwned) (w) file\n"
    yield "zip.png", b"PK\x03\x04" + bytes(60)
    for form in ("GIF", "BMP", "TIFF", "WEBP", "PPM"):
        yield from _mutated(f"a.{form.lower()}", picture(form), 10)
    yield from _mutated("a.jpg", jpeg)
    yield from _mutated("a.png", plain)
    exif = Image.Exif()
    exif[0x0112] = 99
    yield "orientation.jpg", picture(exif=exif.tobytes())


def annotations(folder):
    """Data sets whose annotation files attack the reader."""
    away = folder.parent / "pwned"
    bomb = (
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
        + "]>"
    )
    xmls = {
        "entities": f"{bomb}<annotation>&j;</annotation>",
        "outside": f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{away}">]><annotation>&a;</annotation>',
        "deep": "<annotation>" + "<a>" * DEEP,
        "huge": voc_xml(voc_object(("9" * 400, "-1e999", "nan", "inf"))),
        "empty": "",
        "names": voc_xml(voc_object(name="../../pwned"), voc_object(name="x" * 100_000)),
        "size": voc_xml(voc_object(), size="<width>1e308</width><height>-7</height>"),
    }
    for name, xml in xmls.items():
        write_voc(folder / f"voc-{name}", xml=xml)
        yield f"voc-{name}", folder / f"voc-{name}"
    good = voc_xml(voc_object()).encode()
    for seed in range(MUTATED):
        write_voc(folder / f"voc-{seed}", xml=mutate(good, random.Random(seed)))
        yield f"voc-{seed}", folder / f"voc-{seed}"
    os.mkfifo(folder / "pipe.jpg")
    for name, change in {
        "climbs": lambda told: told["images"][0].update(file_name="../" * 20 + "etc/passwd"),
        "absolute": lambda told: told["images"][0].update(file_name="/etc/passwd"),
        "pipe": lambda told: told["images"][0].update(file_name=str(folder / "pipe.jpg")),
        "device": lambda told: told["images"][0].update(file_name="/dev/zero"),
        "large": lambda told: told["images"][0].update(width=10**300, height=10**300),
        "words": lambda told: told.update(images="x", annotations={"a": 1}),
        "masks": lambda told: told["annotations"][0].update(
            segmentation={"size": [2**31, 2**31], "counts": [2**62]}
        ),
        "points": lambda told: told["annotations"][0].update(segmentation=[[1e308] * 200_000]),
    }.items():
        write_coco_set(folder / f"coco-{name}")
        file = folder / f"coco-{name}" / "annotations/instances_train.json"
        told = json.loads(file.read_text())
        change(told)
        file.write_text(json.dumps(told))
        yield f"coco-{name}", folder / f"coco-{name}"
    (folder / "yolo-aliases").mkdir()
    (folder / "yolo-aliases/data.yaml").write_text(_ALIASES + "names: *a11\ntrain: x\nval: x\n")
    yield "yolo-aliases", folder / "yolo-aliases"
    write_coco_set(folder / "coco-deep")
    (folder / "coco-deep/annotations/instances_train.json").write_text("[" * DEEP)
    yield "coco-deep", folder / "coco-deep"


def configs(folder):
    """Configurations that bring code, grow, or say what no config says."""
    valid = (Path(__file__).parents[2] / "configs" / "smoke.yaml").read_bytes()
    away = folder.parent / "pwned"
    yield "python.yaml", f"!!python/object/apply:os.system ['touch {away}']".encode()
    yield "name.yaml", b"name: !!python/name:os.system\n" + valid
    yield "aliases.yaml", _ALIASES.encode()
    grown = valid.replace(b"model: {", b"model: {options: {x: *a11}, ")
    yield "options.yaml", _ALIASES.encode() + grown
    yield "self.yaml", b"a: &a [*a]\n"
    yield "deep.yaml", b"[" * 5_000
    yield "name-climbs.yaml", valid.replace(b"name: smoke", b"name: ../../../pwned")
    yield "number.yaml", valid.replace(b"epochs: 2", b"epochs: " + b"9" * 5_000)
    yield "nan.yaml", valid.replace(b"learning_rate: ", b"learning_rate: .nan #")
    yield "binary.yaml", bytes(range(256)) * 40
    yield "empty.yaml", b""
    yield "list.yaml", b"- 1\n- 2\n"
    yield "keys.yaml", b"? [a, b]\n: c\n? {d: e}\n: f\n"
    yield "duplicate.yaml", valid + b"\nname: other\n"
    yield from _mutated("smoke.yaml", valid, 60)


def models(folder):
    """Archives that would leave their folder, bring code, or are no models."""
    away = str(folder.parent / "pwned")
    yield "empty.keras", b""
    yield "text.keras", b"not a zip archive"
    yield "nothing.keras", _archive({})
    yield "climbs.keras", _archive({"../../pwned": b"x", "config.json": b"{}"})
    yield "metadata.keras", _archive({"config.json": b"{}", "metadata.json": b"{}"})
    code = base64.b64encode(b"\xe3\x00\x00\x00").decode()
    lambdas = {
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": code}}},
    }
    for name, config in {
        "lambda": {"module": "keras.layers", **lambdas, "registered_name": None},
        "system": {"module": "os", "class_name": "system", "config": f"touch {away}"},
        "builtin": {"module": "builtins", "class_name": "eval", "config": "1"},
        "popen": {
            "module": "subprocess",
            "class_name": "Popen",
            "config": {"args": ["touch", away]},
        },
        "file": {
            "module": "keras.utils",
            "class_name": "get_file",
            "config": {"fname": away, "origin": "http://127.0.0.1:9/x"},
        },
        "list": [1, 2, 3],
        "words": "zoo>SSD",
        "unknown": {"module": "zoo", "class_name": "NoSuch", "registered_name": "zoo>NoSuch"},
    }.items():
        told = {"config.json": json.dumps(config).encode(), "metadata.json": b"{}"}
        yield f"{name}.keras", _archive({**told, "model.weights.h5": b""})
    yield "deep.keras", _archive({"config.json": b"[" * DEEP, "metadata.json": b"{}"})
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b"{}")
        archive.writestr("model.weights.h5", bytes(200_000_000))
    yield "bomb.keras", bomb.getvalue()
    yield from _mutated("a.keras", (folder.parent / "valid.keras").read_bytes(), 20)


def checkpoints(folder):
    """Pickles that call something, and files of PyTorch's that were damaged."""
    import torch

    away = str(folder.parent / "pwned")

    class Call:
        def __init__(self, function, *arguments):
            self.call = function, arguments

        def __reduce__(self):
            return self.call

    for name, call in {
        "system": Call(os.system, f"touch {away}"),
        "eval": Call(eval, f"open({away!r}, 'w')"),
        "open": Call(open, away, "w"),
    }.items():
        yield f"pickle-{name}.pth", pickle.dumps(call)
        stream = io.BytesIO()
        torch.save({"weight": torch.zeros(2), "extra": call}, stream)
        yield f"torch-{name}.pth", stream.getvalue()
        yield f"old-{name}.pt", pickle.dumps({"state_dict": call}, protocol=0)
    stream = io.BytesIO()
    torch.save({"layer.weight": torch.zeros(3, 4), "step": 7}, stream)
    yield from _mutated("a.pth", stream.getvalue(), 20)
    head = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    claimed = len(head).to_bytes(8, "little") + head.encode()
    yield "claims.safetensors", claimed
    yield "length.safetensors", (2**63).to_bytes(8, "little") + b"{}"
    yield from _mutated("a.safetensors", claimed, 10)
    yield "empty.pth", b""


def requests(_folder):
    """JSON bodies for a served model."""
    good = {"dataframe_records": [{"image": base64.b64encode(picture()).decode()}]}
    for name, row in {
        "neither": {},
        "both": {"image": "AAAA", "pixels": [[0]]},
        "path": {"image": "/etc/passwd"},
        "url": {"image": "http://127.0.0.1:9/x.jpg"},
        "data-url": {"image": "data:text/html;base64,PGI+"},
        "padding": {"image": "A"},
        "number": {"image": 7},
        "bomb": {"image": base64.b64encode(huge(100_000, 100_000)).decode()},
        "ragged": {"pixels": [[[0, 0, 0]], [[0, 0, 0], [1, 1, 1]]]},
        "bright": {"pixels": [[[0, 0, 256]]]},
        "negative": {"pixels": [[[0, 0, -1]]]},
        "words": {"pixels": [[["a", "b", "c"]]]},
        "flat": {"pixels": [1, 2, 3]},
        "six": {"pixels": np.zeros((1, 1, 1, 1, 1, 3)).tolist()},
        "channels": {"pixels": np.zeros((4, 4, 7)).tolist()},
        "none": {"pixels": []},
        "nested": {"image": {"a": {"b": 1}}},
        "other": {"file": "x"},
    }.items():
        yield f"{name}.json", json.dumps({"dataframe_records": [row]}).encode()
    yield "deep.json", b'{"dataframe_records": ' + b"[" * DEEP
    yield "null.json", b'{"dataframe_records": [null]}'
    yield "nan.json", b'{"dataframe_records": [{"pixels": [[[NaN, Infinity, 1e999]]]}]}'
    yield "digits.json", b'{"dataframe_records": [{"pixels": [[' + b"9" * 5_000 + b"]]}]}"
    yield from _mutated("good.json", json.dumps(good).encode(), 30)


def _archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


_KINDS = {
    "pictures": pictures,
    "annotations": annotations,
    "configs": configs,
    "models": models,
    "checkpoints": checkpoints,
    "requests": requests,
}
