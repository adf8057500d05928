"""The size of a network's input, as a preset takes it."""


def height_width(image_size) -> tuple[int, int]:
    """Return (height, width) of a side in pixels, or of (height, width)."""
    return (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
