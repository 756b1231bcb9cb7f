"""The pages in headless Chromium: keys, a phone's screen, hostile texts, and forms of another site."""

import http.server
import re
import shutil
import threading
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


def test_the_tab_key_reaches_every_answer(browser: Any, open_store: Open, serve: Serve) -> None:
    """In the order in which they are read, with a visible focus; the space key answers."""
    store = open_store()
    begin(browser, serve(store))
    wait_for_pictures(browser)
    reached = list[str]()
    for _ in range(3):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        script = "const own = document.activeElement; return [own.value, getComputedStyle(own).outlineStyle]"
        value, outline = browser.execute_script(script)
        reached.append(value)
        assert outline != "none"
    assert reached == ["left", "tie", "right"]
    before = task_of(browser)
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    WebDriverWait(browser, 10).until(lambda own: task_of(own) not in (None, before))
    assert [vote.choice for vote in store.votes()] == ["right"]


def test_a_hostile_prompt_is_text(browser: Any, open_store: Open, serve: Serve) -> None:
    store = open_store()
    begin(browser, serve(store))
    for _ in range(8):  # the prompts of a study come in a random order
        wait_for_pictures(browser)
        shown = browser.find_element(By.TAG_NAME, "blockquote").text
        if "script" in shown:
            break
        press(browser, "1")
    assert shown == '<script>alert(1)</script> & "quotes"'
    assert browser.execute_script("return document.scripts.length") == 1


def test_another_site_cannot_vote(browser: Any, open_store: Open, serve: Serve) -> None:
    """A page of another site that sends the form of a rater, with its cookie where the browser allows that."""
    store = open_store()
    address = serve(store)
    begin(browser, address)
    form = f"""<form method="post" action="{address}/vote"><input name="task" value="{task_of(browser)}">
    <input name="answer" value="left"><input name="token" value="{"0" * 64}"></form>
    <script>document.forms[0].submit()</script>"""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # Another name of this machine is another site, the same name with another port is not.
        for host in ("localhost", "127.0.0.1"):
            browser.get(f"http://{host}:{server.server_port}/")
            WebDriverWait(browser, 10).until(lambda own: own.current_url == f"{address}/vote")
            assert re.search("expired|not begun", browser.find_element(By.TAG_NAME, "main").text)
        server.shutdown()
    assert store.votes() == []
