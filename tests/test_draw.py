"""Drawing: what is drawn where, judged by the pixels it changes."""

import numpy as np
import pytest

from zoo.draw import PALETTE, contact_sheet, draw_detections, draw_objects
from zoo.results import Detections

pytestmark = pytest.mark.any_backend

SIDE = 256


def photograph(height=SIDE, width=SIDE):
    from skimage import data

    picture = data.astronaut()
    assert picture.shape[0] >= height
    return picture[:height, :width].copy()


def detection(box=(60, 80, 160, 200), *, score=0.9, label=0, **fields):
    return Detections(boxes=[box], scores=[score], labels=[label], **fields)


def changed(before, after):
    return (before != after).any(axis=-1)


def test_the_frame_lies_on_the_box_in_the_classes_colour():
    drawn = draw_detections(photograph(), detection(label=2))
    for row, column in [(200, 110), (140, 60), (140, 160)]:  # bottom, left, right
        assert tuple(drawn[row, column]) == PALETTE[2]


def test_nothing_changes_inside_the_frame_or_far_from_it():
    picture = photograph()
    difference = changed(picture, draw_detections(picture, detection()))
    assert not difference[90:190, 70:150].any()
    assert not difference[215:].any()


def test_the_caption_stands_above_the_box():
    picture = photograph()
    difference = changed(picture, draw_detections(picture, detection(class_names=("banana",))))
    assert difference[68:78, 62:100].mean() > 0.9


def test_annotated_objects_are_drawn_like_detections_but_without_a_score():
    picture = photograph()
    scored = changed(picture, draw_detections(picture, detection(class_names=("banana",))))
    plain = changed(picture, draw_objects(picture, detection(class_names=("banana",))))
    assert (scored & plain == plain).all()
    assert (scored & ~plain)[:80].any()  # the score's part of the caption, above the box
    assert not (scored & ~plain)[80:].any()


def test_a_caption_at_the_top_edge_stays_in_the_picture():
    picture = photograph()
    drawn = draw_detections(picture, detection((200, 0, 255, 90), class_names=("long name",)))
    assert drawn.shape == picture.shape
    assert changed(picture, drawn)[1:12, 190:250].mean() > 0.9


def test_the_callers_picture_stays_as_it_was():
    picture = photograph()
    copy = picture.copy()
    draw_detections(picture, detection(masks=np.ones((1, SIDE, SIDE))))
    np.testing.assert_array_equal(picture, copy)


def test_scores_below_the_limit_are_left_out():
    picture = photograph()
    np.testing.assert_array_equal(
        draw_detections(picture, detection(score=0.3), min_score=0.31), picture
    )


def test_no_detections_leave_the_picture_alone():
    picture = photograph()
    np.testing.assert_array_equal(draw_detections(picture, Detections.empty()), picture)


def test_ground_truth_is_white_and_black_dashes():
    picture = photograph()
    truth = Detections.ground_truth([(60, 80, 160, 200)], [0])
    drawn = draw_detections(picture, Detections.empty(), ground_truth=truth)
    touched = drawn[changed(picture, drawn)]
    assert {tuple(pixel) for pixel in touched.tolist()} <= {(0, 0, 0), (255, 255, 255)}
    line = changed(picture, drawn)[200, 64:156]
    assert 0.2 < line.mean() < 0.9


def test_masks_tint_their_pixels_half_and_half():
    picture = photograph()
    masks = np.zeros((1, SIDE, SIDE), bool)
    masks[0, 120:130, 100:110] = True
    drawn = draw_detections(picture, detection(masks=masks))
    expected = 0.5 * picture[125, 105] + 0.5 * np.array(PALETTE[0])
    np.testing.assert_allclose(drawn[125, 105], expected, atol=1)


def test_lines_grow_with_the_picture():
    def thickness(side):
        blank = np.full((side, side, 3), 128, np.uint8)
        box = (side // 4, side // 4, side // 2, side // 2)
        drawn = draw_detections(blank, detection(box))
        return changed(blank, drawn)[3 * side // 8, : 3 * side // 8].sum()

    assert thickness(2000) >= 2.5 * thickness(256)


@pytest.mark.parametrize(
    "box", [(-50, -50, 400, 400), (90, 90, 20, 20), (30, 30, 30, 30), (300, 300, 320, 320)]
)
def test_odd_boxes_are_drawn_without_complaint(box):
    truth = Detections.ground_truth([box], [0])
    drawn = draw_detections(photograph(), detection(box), ground_truth=truth)
    assert drawn.shape == (SIDE, SIDE, 3)


def test_letters_beyond_ascii_have_their_own_shapes():
    blank = np.full((SIDE, SIDE, 3), 128, np.uint8)
    one = draw_detections(blank, detection(class_names=("Ä",)))
    other = draw_detections(blank, detection(class_names=("Ж",)))
    assert changed(one, other).any()  # a font without them draws the same empty box for both


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((1, 4, 4, 3))]
)
def test_other_arrays_are_refused(picture):
    with pytest.raises(ValueError, match=r"picture must be \(H, W, 3\) uint8 RGB; got"):
        draw_detections(picture, Detections.empty())


def test_a_contact_sheet_fills_rows_of_the_given_length():
    blank = np.full((100, 100, 3), 200, np.uint8)
    sheet = contact_sheet([blank] * 5, columns=3)
    # three cells of 100 and four gaps of 4 across, two and three down
    assert sheet.shape == (2 * 100 + 3 * 4, 3 * 100 + 4 * 4, 3)
    assert (sheet[110:208, 216:310] == 32).all()  # the sixth cell is empty


def test_a_contact_sheet_keeps_small_pictures_pixel_by_pixel():
    picture = photograph(100, 80)
    np.testing.assert_array_equal(contact_sheet([picture])[4:104, 4:84], picture)


def test_a_contact_sheet_scales_large_pictures_down():
    assert contact_sheet([np.zeros((1000, 500, 3), np.uint8)]).shape == (328, 168, 3)


def test_a_contact_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])
