"""The log's page in a browser, as its reader uses it."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import barriers, browsers, complaints
from conftest import CHOICES, started_servers
from page_support import PAGE, PASSWORD, prepare, record, write
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from servers import fetch, wait_for

LIVE_SECONDS = 5
TRACEBACK = ("Traceback (most recent call last):", '  File "shop.py", line 3, in pay', "ValueError: no money")
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title = 'owned'</script>"


@pytest.fixture
def open_browser(tmp_path):
    """Return a function that opens a browser with a profile of its own."""
    with browsers(tmp_path) as start:
        yield start


@pytest.fixture(scope="module", params=CHOICES["django_version"])
def site(cookies_session, environment, request):
    """Serve a project with a log, and return its folder and its address."""
    python = environment(request.param)
    project = cookies_session.bake(extra_context={"django_version": request.param}).project_path
    prepare(project, python)
    numbered = [record(f"number {number}", age=9000 - number) for number in range(150)]
    failed = record("payment failed", *TRACEBACK, age=60, level="ERROR", logger="shop.pay", request="r1")
    warned = record("login failed", age=50, level="WARNING", logger="applog.security", request="r1")
    write(project, "django.log", *numbered, failed, warned, record(EVIL, age=40))
    write(project, "security.log", warned, record("only here", age=45, logger="applog.security", request="r1"))
    # What the server and the browser log themselves would only be in the way.
    with started_servers() as start:
        yield project, start(python, project, {"LOG_LEVEL": "WARNING"})[0]


def sign_in(browser, address, query=""):
    """Go to the page, which asks for the password first."""
    browser.get(f"{address}{PAGE}{query}")
    browser.find_element(By.NAME, "username").send_keys("admin")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "#result_list"))


def messages(browser):
    """Return the messages on the page, by one look: to ask for each takes seconds, and live mode changes the page."""
    return browser.execute_script(
        "return [...document.getElementsByClassName('log-text')].map(e => e.innerText.trim())"
    )


def follow(browser, link):
    """Click on a link and wait for the next page."""
    before = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.PARTIAL_LINK_TEXT, link).click()
    wait_for(lambda: staleness_of(before)(browser))


def test_the_log_is_read_in_a_browser(site, open_browser, tmp_path):
    """What a reader clicks on has to do what it says, and nothing that was logged may run."""
    _, address = site
    browser = open_browser()
    sign_in(browser, address)
    assert browser.title.startswith("Logs | ")
    assert EVIL in messages(browser)
    assert len(messages(browser)) == 100

    follow(browser, "ERROR")
    assert messages(browser) == ["payment failed"]
    trace = browser.find_element(By.CSS_SELECTOR, ".log-lines")
    assert not trace.is_displayed()
    browser.find_element(By.CSS_SELECTOR, ".log-message summary").click()
    assert trace.is_displayed()
    assert trace.text.splitlines() == [line.rstrip() for line in TRACEBACK]

    browser.find_element(By.PARTIAL_LINK_TEXT, "DOWNLOAD").click()
    wait_for(lambda: list((tmp_path / "downloads").glob("django-*.log")))
    [file] = (tmp_path / "downloads").glob("django-*.log")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(" ERROR shop.pay [r1] payment failed")
    assert lines[1:] == [f"    {line}" for line in TRACEBACK]

    follow(browser, "r1")
    assert messages(browser) == ["only here", "login failed", "payment failed"]

    follow(browser, "Clear all filters")
    browser.find_element(By.ID, "searchbar").send_keys("NUMBER 14\n")
    wait_for(lambda: len(messages(browser)) == 11)
    bar = browser.find_element(By.CSS_SELECTOR, ".log-histogram svg a rect.log-info")
    bar.click()
    wait_for(lambda: "since=" in browser.current_url)
    assert messages(browser)
    assert set(messages(browser)) <= {"number 14", *(f"number 14{digit}" for digit in range(10))}

    errors = complaints(browser)
    assert errors == []
    for width in (1280, 820, 390, 320):
        browser.set_window_size(width, 900)
        room = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert room[0] <= room[1], f"{width} pixels wide, and one has to scroll sideways"
    browser.set_window_size(390, 900)
    edges = [
        f"return document.querySelector('.log-plot {part}').getBoundingClientRect()" for part in (".log-scale", "svg")
    ]
    times = "[...document.querySelectorAll('.log-sum time, .log-axis span')]"
    lines = f"return {times}.map(time => time.getClientRects().length)"
    browser.get(f"{address}{PAGE}")
    scale, chart = map(browser.execute_script, edges)
    assert scale["right"] <= chart["left"], "the number of the scale covers the first bars"
    for name in ("", "errors/"):
        browser.get(f"{address}{PAGE}{name}")
        # The middle one of the axis is left out where there is no room for it.
        assert set(browser.execute_script(lines)) - {0} == {1}, "a time is torn apart"


def test_nothing_is_beyond_the_edge_of_320_pixels(site, open_browser):
    """A page at 400 % is as narrow, with the bar for scrolling; windows cannot be."""
    _, address = site
    browser = open_browser()
    sign_in(browser, address)
    metrics = {"width": 320, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(f"{address}{PAGE}")
    ends = "[...document.querySelectorAll('.log-axis span')].map(time => time.getClientRects().length)"
    assert browser.execute_script(f"return {ends}") == [1, 0, 1]
    room = browser.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert room[0] <= room[1]


def test_live_mode_shows_a_record_at_once_and_waits_while_one_reads(site, open_browser):
    """Who watches a deployment sees the error when it happens, and does not lose the line that is being read."""
    project, address = site
    browser = open_browser()
    sign_in(browser, address)
    follow(browser, "LIVE")
    status = browser.find_element(By.ID, "log-status")
    fetch(f"{address}/no-such-page")
    wait_for(lambda: messages(browser)[0].endswith("Not Found: /no-such-page"), LIVE_SECONDS)
    assert status.text.startswith("Live, new records: ")

    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    wait_for(lambda: status.get_property("textContent").startswith("Paused"))
    write(project, "django.log", record("while reading"))
    time.sleep(1.5)  # longer than between two looks
    assert "while reading" not in messages(browser)
    browser.execute_script("window.scrollTo(0, 0)")
    wait_for(lambda: messages(browser)[0] == "while reading", LIVE_SECONDS)
    assert [messages(browser).count(message) for message in ("while reading", "number 149")] == [1, 1]
    assert "/news/" not in (project / "logs" / "django.log").read_text(encoding="utf-8")


def test_hands_and_eyes_are_spared(site, open_browser):
    """Who reads logs all day wants many records on the screen, keys, and a part of the chart by one pull."""
    _, address = site
    browser = open_browser()
    sign_in(browser, address)
    browser.set_window_size(1280, 1000 + browser.execute_script("return outerHeight - innerHeight"))
    bottoms = "return [...document.querySelectorAll('.log-row')].map(row => row.getBoundingClientRect().bottom)"
    assert sum(bottom <= 1000 for bottom in browser.execute_script(bottoms)) >= 30
    width = "return document.querySelector(arguments[0]).clientWidth"
    assert browser.execute_script(width, "#result_list") > 0.95 * browser.execute_script(width, "#changelist")

    keys = ActionChains(browser)
    keys.send_keys("/").send_keys("number").perform()
    assert browser.find_element(By.ID, "searchbar").get_property("value") == "number"
    browser.execute_script("document.activeElement.blur()")
    keys.send_keys("jjk").send_keys(Keys.ENTER).perform()
    [opened] = browser.find_elements(By.CSS_SELECTOR, "details[open]")
    assert opened.find_element(By.CLASS_NAME, "log-text").text == messages(browser)[0]

    browser.get(f"{address}{PAGE}?level=ERROR")
    browser.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    browser.find_element(By.CSS_SELECTOR, ".log-row summary").click()
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, ".log-links button"))
    browser.find_element(By.CSS_SELECTOR, ".log-links button").click()
    wait_for(lambda: browser.find_element(By.CSS_SELECTOR, ".log-links button").text == "Copied")
    read = "navigator.clipboard.readText().then(arguments[0])"
    head, *below = browser.execute_async_script(read).split("\n")
    assert head.endswith(" ERROR shop.pay payment failed")
    assert below == [line.rstrip() for line in TRACEBACK]

    browser.find_element(By.ID, "log-wrap").click()
    browser.get(f"{address}{PAGE}")
    assert "log-wrap" in browser.find_element(By.ID, "result_list").get_attribute("class")
    bars = browser.find_elements(By.CSS_SELECTOR, ".log-histogram svg a")
    first, last = bars[len(bars) // 2], bars[-1]
    links = [bar.get_dom_attribute("href") for bar in (first, last)]
    hit = By.CSS_SELECTOR, ".log-hit"
    ActionChains(browser).drag_and_drop(first.find_element(*hit), last.find_element(*hit)).perform()
    wait_for(lambda: "since=" in browser.current_url)
    chosen = parse_qs(urlsplit(browser.current_url).query)
    assert [chosen["since"], chosen["until"]] == [parse_qs(links[0][1:])["since"], parse_qs(links[1][1:])["until"]]

    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    browser.get(f"{address}{PAGE}")
    follow(browser, "Show in Asia/Tokyo")
    assert browser.find_element(By.ID, "log-zone").text.startswith("Times: Asia/Tokyo, UTC+09:00")
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    browser.get(f"{address}{PAGE}")
    assert "Show in" not in browser.find_element(By.ID, "log-zone").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(site, open_browser, axe, scheme):
    """Who reads by ear, by keyboard or with little contrast has to find the error, too."""
    _, address = site
    browser = open_browser()
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)
    sign_in(browser, address)
    filtered = "?text=number+-14&level=%3DINFO&logger=shop&zone=Asia/Tokyo"
    for query in ("", "?live=1", "?level=LOUD", filtered, "errors/", "errors/?level=WARNING&text=x", "requests/"):
        browser.get(f"{address}{PAGE}{query}")
        browser.execute_script("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        assert barriers(browser, axe) == []


def test_the_page_needs_no_scripts(site, open_browser):
    """In a locked-down browser the log is still read, filtered and leafed through."""
    _, address = site
    browser = open_browser(scripts=False)
    sign_in(browser, address)
    follow(browser, "Older")
    assert messages(browser)[-1] == "number 0"
    follow(browser, "ERROR")
    browser.find_element(By.CSS_SELECTOR, ".log-message summary").click()
    assert browser.find_element(By.CSS_SELECTOR, ".log-message pre").is_displayed()
    browser.find_element(By.NAME, "text").send_keys("nobody logged this\n")
    wait_for(lambda: browser.find_elements(By.CLASS_NAME, "log-none"))
    assert messages(browser) == []


# Texts in Latin letters that begin or end with a mark, and lie in an element that is read from right to left.
TURNED = r"""
const found = [];
document.querySelectorAll("details").forEach(part => { part.open = true; });
for (const element of document.querySelectorAll("#content *")) {
  const isSeen = element.checkVisibility() && !element.closest(".visually-hidden");
  if (!isSeen || getComputedStyle(element).direction === "ltr") continue;
  for (const node of element.childNodes) {
    const text = node.nodeType === Node.TEXT_NODE ? node.textContent.trim() : "";
    if (/^[ -~]*[A-Za-z][ -~]*$/.test(text) && /^\W|\W$/.test(text)) found.push(text);
  }
}
return found;
"""


def test_what_is_not_translated_keeps_its_order_from_right_to_left(bake, environment, open_browser):
    """A full stop before the sentence, or a colon before its label, is read as part of what stands there."""
    python, project = environment("5.2"), bake()
    settings = project / "config" / "settings.py"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "ar"'), encoding="utf-8")
    prepare(project, python)
    write(project, "django.log", record("hello"), "without a time\n")
    with started_servers() as start:
        address = start(python, project, {"LOG_LEVEL": "WARNING"})[0]
        browser = open_browser()
        sign_in(browser, address)
        wrong = "since=soon&kind=x"
        for query in ("?log=all", "?live=1", "?text=nobody", f"?{wrong}", "errors/", f"errors/?{wrong}", "requests/"):
            browser.get(f"{address}{PAGE}{query}")
            assert browser.execute_script("return document.documentElement.dir") == "rtl"
            assert browser.execute_script(TURNED) == [], query
