"""From a picture file to the eight by eight pixels that the network reads."""

import io

from PIL import Image

from digits.network import SIZE, WHITE

MAX_PIXELS = 4_000_000


class NotAPictureError(ValueError):
    """The bytes are no picture that can be read."""


def pixels(picture: bytes) -> list[list[float]]:
    """Return eight rows of eight pixels, from 0 (black) to 16 (white), the digit in white.

    Args:
        picture: a PNG or JPEG file of one digit that fills it, on a darker or lighter ground.

    Raises:
        NotAPictureError: it is something else, broken, or too large.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise NotAPictureError(
                    f"The picture has over {MAX_PIXELS} pixels; send a smaller one."
                )
            small = image.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPictureError("The file is no whole PNG or JPEG picture; send one.") from error
    grey = small.tobytes()
    if grey[0] + grey[SIZE - 1] + grey[-SIZE] + grey[-1] > 2 * 255:  # dark ink on a light ground
        grey = bytes(255 - value for value in grey)
    return [
        [value / 255 * WHITE for value in grey[i : i + SIZE]] for i in range(0, len(grey), SIZE)
    ]
