"""The pages in headless Chromium: keys, a phone's screen, and the content security policy."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagen3.human.web.store import RatingStore

selenium = pytest.importorskip("selenium")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

Open, Serve = Callable[..., RatingStore], Callable[[RatingStore], str]
PHONE = {"deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2.0, "touch": True, "mobile": True}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    options.add_experimental_option("mobileEmulation", PHONE)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, Service(driver))
    yield opened
    opened.quit()


def task_of(browser: Any) -> str | None:
    return browser.execute_script("return document.querySelector('[name=task]')?.value")


def press(browser: Any, *keys: str, field: str = "body") -> None:
    """Press keys, and wait for the next task."""
    before = task_of(browser)
    browser.find_element(By.CSS_SELECTOR, field).send_keys(*keys)
    WebDriverWait(browser, 10).until(lambda own: task_of(own) not in (None, before))


def begin(browser: Any, address: str) -> None:
    browser.get(address)
    browser.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, 10).until(task_of)


def wait_for_pictures(browser: Any) -> None:
    script = "return [...document.images].every(image => image.complete && image.naturalWidth === 64)"
    WebDriverWait(browser, 10).until(lambda own: own.execute_script(script))


def test_a_rater_with_a_phone(browser: Any, open_store: Open, serve: Serve) -> None:
    store = open_store()
    begin(browser, serve(store))
    for key in ("1", "2", "0"):
        wait_for_pictures(browser)
        press(browser, key)
    wait_for_pictures(browser)
    assert [vote.choice for vote in store.votes()] == ["left", "right", "tie"]
    width, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner, "nothing is wider than the screen"
    for button in browser.find_elements(By.CSS_SELECTOR, ".answers button"):
        assert button.size["height"] >= 44, "large enough for a finger"
    picture = browser.find_element(By.CSS_SELECTOR, ".pictures img")
    picture.click()
    assert picture.size["width"] == inner
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    assert picture.size["width"] < inner / 2
    assert [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]] == []


def test_a_count(browser: Any, open_store: Open, serve: Serve) -> None:
    """Digits in the field are no keys for sides; the return key sends the count."""
    store = open_store(("counting",))
    begin(browser, serve(store))
    press(browser, "12", Keys.ENTER, field="#answer")
    assert [count.answer for count in store.count_answers()] == ["12"]


def test_the_back_button_changes_no_vote(browser: Any, open_store: Open, serve: Serve) -> None:
    store = open_store()
    begin(browser, serve(store))
    wait_for_pictures(browser)
    press(browser, "1")
    browser.back()
    wait_for_pictures(browser)
    browser.find_element(By.CSS_SELECTOR, "[data-key='2']").click()
    wait_for_pictures(browser)
    assert [vote.choice for vote in store.votes()][:1] == ["left"]
    assert len({vote.vote_id for vote in store.votes()}) == len(list(store.votes()))


def test_the_board(browser: Any, open_store: Open, serve: Serve) -> None:
    store = open_store()
    rater = store.add_rater("a")
    while task := store.next_task(rater):
        store.answer(rater, task.id, "left")
    browser.get(f"{serve(store)}/board/{store.admin_key}")
    names = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "td:first-child")]
    assert sorted(names) == ["alpha", "beta", "gamma"]
