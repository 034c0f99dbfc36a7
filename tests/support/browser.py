"""A browser for tests: Chromium with a profile of its own."""

import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,1000",
)  # fmt: skip


@contextmanager
def browsers(folder):
    """Give a function that opens a browser, whose profile and downloads are in a folder; skip where there is none."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("no Chromium with its chromedriver is installed here")
    opened = []

    def start(*, scripts=True):
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*FLAGS, f"--user-data-dir={folder / f'profile-{len(opened)}'}"):
            options.add_argument(flag)
        preferences = {"download.default_directory": str(folder / "downloads")}
        if not scripts:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        opened.append(webdriver.Chrome(options, webdriver.ChromeService(driver)))
        return opened[-1]

    try:
        yield start
    finally:
        for window in opened:
            window.quit()


def complaints(browser):
    """Return what a browser's console has: refusals of the content security policy, errors of scripts."""
    return [entry["message"] for entry in browser.get_log("browser") if "favicon.ico" not in entry["message"]]


def barriers(browser, axe):
    """Return what the script of axe finds on a page: what shuts out those who read by ear or with little contrast."""
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "axe.run({rules: {'target-size': {enabled: true}}}).then(found => arguments[0](found.violations))"
    )
    return [(problem["help"], problem["nodes"][0]["html"]) for problem in found]
