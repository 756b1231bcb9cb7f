"""A card in headless Chromium, on a screen of 390 pixels: sound, pictures, dark mode, and no network."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

selenium = pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from audio_datasets.cards.card import write_card
from audio_datasets.catalogue.records import get_record
from audio_datasets.data.clips import ClipSet

PHONE = {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True, "mobile": True}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "mute-audio"):
        options.add_argument(f"--{word}")
    options.add_argument("--autoplay-policy=no-user-gesture-required")
    options.add_experimental_option("mobileEmulation", PHONE)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, Service(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def card(sounds: ClipSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of clips with classes, ratings, speakers and countries."""
    generator = np.random.default_rng(0)
    clips = tuple(
        clip._replace(targets=tuple(generator.random(10)), country=("Peru", "Chad")[place % 2])
        for place, clip in enumerate(sounds)
    )
    path = tmp_path_factory.mktemp("card") / "card.html"
    names = tuple(f"a long name of the rating {number}" for number in range(10))
    write_card(path, ClipSet("rated", clips, names, sounds.classes), get_record("crema-d"), players=3)
    return path


def requested(browser: Any) -> list[str]:
    """Addresses of all requests since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def colours(browser: Any) -> list[str]:
    return browser.execute_script(
        "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    )


def test_a_card(browser: Any, card: Path) -> None:
    requested(browser)
    browser.get(card.as_uri())
    drawn = "return [...document.images].map(image => image.complete ? image.naturalWidth : 0)"
    WebDriverWait(browser, 20).until(lambda own: min(own.execute_script(drawn)) > 0)
    assert len(browser.execute_script(drawn)) == 3
    browser.execute_script("for (const player of document.querySelectorAll('audio')) player.play()")
    heard = "return [...document.querySelectorAll('audio')].map(player => player.error ? -1 : player.currentTime)"
    WebDriverWait(browser, 30).until(lambda own: min(own.execute_script(heard)) > 0)
    width, screen = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert screen == 390
    assert width <= screen, "nothing is wider than the screen"
    titles = [title.text for title in browser.find_elements(By.TAG_NAME, "h2")]
    for expected in ("Speakers", "Countries", "Correlations of the ratings", "Clips of each speaker by class"):
        assert expected in titles
    assert "ODbL-1.0" in browser.find_element(By.CLASS_NAME, "licence").text
    addresses = requested(browser)
    assert card.as_uri() in addresses
    assert [address for address in addresses if not address.startswith(("file:", "data:"))] == []
    assert browser.get_log("browser") == []


def test_dark_mode(browser: Any, card: Path) -> None:
    found = {}
    browser.get(card.as_uri())
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        found[scheme] = colours(browser)
    assert found["light"] == ["rgb(255, 255, 255)", "rgb(27, 31, 59)"]
    assert found["dark"] == ["rgb(20, 22, 31)", "rgb(236, 238, 246)"]
