"""The book's CSV layout: its tables, its classes, and what is wrong with a row."""

import re

import pytest

from zoo.data.book_csv import open_csv
from zoo.data.layout import Defect, FoundPicture

pytestmark = pytest.mark.any_backend

HEADER = "img_name,label,xmin,ymin,xmax,ymax\n"


def write(folder, text, name="bananas_train", pictures=("0.png", "1.png")):
    """A split's table, and files for its pictures, which readers do not open."""
    images = folder / name / "images"
    images.mkdir(parents=True)
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name / "label.csv").write_bytes(content)
    for picture in pictures:
        (images / picture).write_bytes(b"picture")


def read(folder, split="train", **options):
    found = list(open_csv(folder, **options).pictures(split))
    pictures = [one for one in found if isinstance(one, FoundPicture)]
    return pictures, [one for one in found if isinstance(one, Defect)]


def test_the_books_rows_are_boxes_in_pixels(tmp_path):
    write(tmp_path, HEADER + "0.png,0,104,20,143,58\n1.png,0,68,175,118,223\n")
    write(tmp_path, HEADER + "0.png,0,183,63,241,112\n", name="bananas_val", pictures=["0.png"])
    layout = open_csv(tmp_path)
    assert (layout.splits, layout.class_names) == (("train", "val"), ("0",))
    pictures, defects = read(tmp_path)
    assert [picture.objects[0].box for picture in pictures] == [
        (104, 20, 143, 58),
        (68, 175, 118, 223),
    ]
    assert [picture.image_id for picture in pictures] == ["0", "1"]
    assert pictures[0].image == tmp_path / "bananas_train/images/0.png"
    assert (pictures[1].unit, pictures[1].line) == ("pixels", 3)
    assert not defects


def test_a_folder_may_be_called_as_its_split_and_hold_its_pictures(tmp_path):
    write(tmp_path, HEADER + "a.jpg,cat,1,2,3,4\n", name="valid", pictures=[])
    (tmp_path / "valid/images").rmdir()
    (picture,), _ = read(tmp_path, "val")
    assert picture.image == tmp_path / "valid/a.jpg"


def test_rows_of_a_picture_need_not_be_neighbours(tmp_path):
    rows = "1.png,cat,1,1,2,2\n0.png,cat,3,3,4,4\n1.png,dog,5,5,6,6\n"
    write(tmp_path, HEADER + rows)
    pictures, _ = read(tmp_path)
    assert [(p.image_id, [thing.line for thing in p.objects]) for p in pictures] == [
        ("1", [2, 4]),
        ("0", [3]),
    ]


def test_columns_may_stand_in_any_order_among_others(tmp_path):
    header = "\ufefflabel, XMIN,ymin,xmax,ymax,pose,img_name\r\n"
    write(tmp_path, f'{header}"a, b",1,2.5,3,4,left,0.png\r\n', pictures=["0.png"])
    (picture,), _ = read(tmp_path)
    assert picture.objects[0].box == (1, 2.5, 3, 4)
    assert picture.objects[0].name == "a, b"


def test_labels_are_sorted_numbers_first_and_by_value(tmp_path):
    rows = "".join(
        f"0.png,{label},1,1,{2 + n},2\n" for n, label in enumerate(["10", "b", "9", "a"])
    )
    write(tmp_path, HEADER + rows)
    assert open_csv(tmp_path).class_names == ("9", "10", "a", "b")


def test_classes_txt_names_labels_that_are_numbers_or_names(tmp_path):
    (tmp_path / "classes.txt").write_text("banana\n\napple \n")
    write(tmp_path, HEADER + "0.png,1,1,1,2,2\n0.png,banana,1,1,2,2\n0.png,2,1,1,2,2\n")
    assert open_csv(tmp_path).class_names == ("banana", "apple")
    (picture,), _ = read(tmp_path)
    # the last stays as it is, for the judge to refuse
    assert [thing.name for thing in picture.objects] == ["apple", "banana", "2"]


def test_class_names_may_be_given(tmp_path):
    write(tmp_path, HEADER + "0.png,0,1,1,2,2\n")
    (picture,), _ = read(tmp_path, class_names=["banana"])
    assert picture.objects[0].name == "banana"


def test_a_row_with_a_picture_alone_says_it_is_empty(tmp_path):
    write(tmp_path, HEADER + "0.png,,,,,\n1.png,0,1,1,2,2\n")
    pictures, defects = read(tmp_path)
    assert [len(picture.objects) for picture in pictures] == [0, 1]
    assert not defects


def test_a_row_without_a_label_reaches_the_judge(tmp_path):
    write(tmp_path, HEADER + "0.png,,1,1,2,2\n1.png,0,1,1,2,2\n")
    pictures, _ = read(tmp_path)
    assert pictures[0].objects[0].name == ""


def test_pictures_that_share_all_but_the_suffix_keep_it(tmp_path):
    pictures = ["a.jpg", "a.png", "b.png"]
    write(tmp_path, HEADER + "".join(f"{name},0,1,1,2,2\n" for name in pictures), pictures=pictures)
    found, _ = read(tmp_path)
    assert [picture.image_id for picture in found] == ["a.jpg", "a.png", "b"]


def test_a_name_that_is_not_utf8_names_its_file(tmp_path):
    name = b"caf\xe9.png"
    write(
        tmp_path,
        HEADER.encode() + name + b",0,1,1,2,2\n",
        pictures=[name.decode("utf-8", "surrogateescape")],
    )
    (picture,), defects = read(tmp_path)
    assert picture.image.read_bytes() == b"picture"
    assert not defects


DEFECTS = [
    ("0.png,0,1,2,3", "malformed_line", "expected 6 values; got 5."),
    ("just text", "malformed_line", "expected 6 values; got 1."),
    (",0,1,1,2,2", "missing_key", "a row without the name of a picture."),
    ("a\0.png,0,1,1,2,2", "missing_key", "a row without the name of a picture."),
    ("0.png,0,1,x,2,2", "wrong_type", "ymin must be a number; got 'x'."),
    ("0.png,0,1,1,2,", "wrong_type", "ymax must be a number; got ''."),
    ("0.png,0,1;1;2;2,,,", "wrong_type", "xmin must be a number; got '1;1;2;2'."),
    (b"0.png,caf\xe9,1,1,2,2", "wrong_type", "a label must be UTF-8; got 'caf\\udce9'."),
    (f"0.png,{'x' * 140_000},1,1,2,2", "malformed_line", "no CSV: field larger than field limit"),
]


@pytest.mark.parametrize(
    ("row", "kind", "message"), DEFECTS, ids=[str(row)[:20] for row, *_ in DEFECTS]
)
def test_a_malformed_row_is_told_and_the_others_are_kept(tmp_path, row, kind, message):
    row = row if isinstance(row, bytes) else row.encode()
    write(tmp_path, HEADER.encode() + b"0.png,0,1,1,2,2\n" + row + b"\n1.png,0,1,1,2,2\n")
    pictures, (defect,) = read(tmp_path)
    assert defect.kind == kind
    assert (defect.file, defect.line) == (str(tmp_path / "bananas_train/label.csv"), 3)
    assert message in defect.message
    assert [thing.line for picture in pictures for thing in picture.objects] == [2, 4]


def test_a_quote_that_is_not_closed_is_told(tmp_path):
    write(tmp_path, HEADER + '0.png,0,1,1,2,2\n1.png,"0,1,1,2,2\n0.png,0,3,3,4,4\n')
    _, defects = read(tmp_path)
    assert [defect.kind for defect in defects] == ["malformed_line", "unlisted_picture"]


def test_an_object_twice_counts_once(tmp_path):
    write(tmp_path, HEADER + "0.png,0,1,1,2,2\n1.png,0,1,1,2,2\n0.png,0,1,1,2.0,2\n")
    pictures, (defect,) = read(tmp_path)
    assert [len(picture.objects) for picture in pictures] == [1, 1]
    assert (defect.kind, defect.line) == ("duplicate_object", 4)
    assert "0.png: the same class and box as in line 2; it counts once." in defect.message


def test_a_picture_in_no_row_is_told(tmp_path):
    write(tmp_path, HEADER + "0.png,0,1,1,2,2\n")
    _, (defect,) = read(tmp_path)
    assert (defect.kind, defect.file) == (
        "unlisted_picture",
        str(tmp_path / "bananas_train/images/1.png"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "label.csv:1: expected the columns img_name,label,xmin,ymin,xmax,ymax"),
        (
            "0.png,0,1,1,2,2\n",
            "img_name, label, xmin, ymin, xmax, ymax missing in '0.png,0,1,1,2,2'",
        ),
        ("img_name,label,xmin,ymin,xmax\n", "ymax missing in"),
        (HEADER, "no row of a label.csv has a label."),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(ValueError, match=re.escape(message)):
        open_csv(tmp_path)


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected <split>/label\.csv, .*; found none"):
        open_csv(tmp_path)
    write(tmp_path, HEADER)
    with pytest.raises(ValueError, match=r"found none\. Name the folder above"):
        open_csv(tmp_path / "bananas_train")
    with pytest.raises(ValueError, match=r"there is none\. Is the path right"):
        open_csv(tmp_path / "nowhere")
