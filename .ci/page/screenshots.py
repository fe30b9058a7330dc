"""Pictures of report pages: those of the book, or all of them for somebody to look at."""

import base64
import pathlib
import sys

from browser import browser, open_page, size

BOOK = {"deadlock": (1400, "light"), "stall": (1400, "dark")}
WIDTHS = (420, 900, 1500)


def picture(driver, page, width, theme, path):
    """Writes a picture of a whole page, at its last step."""
    size(driver, width, 1000)
    open_page(driver, page)
    driver.execute_script(
        "document.documentElement.dataset.theme = arguments[0]; dispatchEvent(new Event('resize'));"
        "document.getElementById('last').click()",
        theme,
    )
    height = driver.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    options = {"captureBeyondViewport": True, "clip": clip}
    data = driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
    path.write_bytes(base64.b64decode(data))
    print(path)


def main(pages, folder=None):
    with browser() as driver:
        if folder is None:
            images = pathlib.Path(__file__).parents[2] / "docs/src/images"
            images.mkdir(exist_ok=True)
            for name, (width, theme) in BOOK.items():
                picture(driver, pages / f"{name}.html", width, theme, images / f"{name}.png")
            return
        folder.mkdir(parents=True, exist_ok=True)
        for page in sorted(pages.glob("*.html")):
            for width in WIDTHS:
                for theme in ("light", "dark"):
                    picture(driver, page, width, theme, folder / f"{page.stem}-{width}-{theme}.png")


main(*map(pathlib.Path, sys.argv[1:]))
