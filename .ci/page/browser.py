"""The report page in a real browser: headless Chromium, driven through chromedriver."""

import contextlib
import pathlib
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


@contextlib.contextmanager
def browser(dark=False):
    """A browser with a fresh profile. What a page writes to its console can be read from its log."""
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        if dark:
            options.add_argument("--force-dark-mode")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
        try:
            yield driver
        finally:
            driver.quit()


def size(driver, width, height):
    """Gives the page itself this size, in pixels of CSS."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def open_page(driver, path):
    """Opens a file and returns the seconds until its page was drawn."""
    start = time.monotonic()
    driver.get(pathlib.Path(path).resolve().as_uri())
    while driver.execute_script("return document.documentElement.dataset.ready") != "true":
        if time.monotonic() - start > 60:
            raise AssertionError(f"{path} does not draw itself: {driver.get_log('browser')}")
        time.sleep(0.02)
    return time.monotonic() - start
