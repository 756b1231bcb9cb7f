"""Open every page of the built site in a browser, as on a phone and on a desk, light and dark; exit 1 at a fault.

python tools/check_site.py SITE [--screenshots FOLDER]

Faults are: a page wider than its window, a message of error in the console, a file that is missing, a picture or sound
that does not load, and a backslash outside code, which a formula left. Needs playwright and a Chromium or Chrome of
this machine; without a browser it says so and exits 0.
"""

import argparse
import asyncio
import functools
import shutil
import sys
import threading
from collections.abc import Awaitable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

from playwright.async_api import Browser, BrowserContext, Error, async_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (1280, 390)
HEIGHT = 900
SCHEMES = ("light", "dark")
# Pages that are open at a time in each scheme.
AT_ONCE = 2
# Seconds for one step, such as loading a page or changing its width, so that a page can never hang the check.
PATIENCE = 60

T = TypeVar("T")

# Run in the page as it was loaded; gives one line a fault. A sound is let go once its length is known, because the
# browser has six connections to a server, and a sound that waits to be played keeps one.
FAULTS = r"""async () => {
  for (const block of document.querySelectorAll("details")) block.open = true;
  for (const image of document.images) image.loading = "eager";
  const found = [];
  const known = sound => sound.readyState > 0 || new Promise(resolve => {
    sound.onloadedmetadata = () => resolve(true);
    sound.onerror = () => resolve(false);
    sound.load();
  });
  for (const sound of document.querySelectorAll("audio")) {
    if (!await known(sound)) found.push(`sound ${sound.src}`);
    sound.onerror = null;
    sound.removeAttribute("src");
    sound.load();
  }
  await Promise.all([...document.images].map(image => image.decode().catch(() => found.push(`picture ${image.src}`))));
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.data.includes("\\") && !text.parentElement.closest("pre, code, script"))
      found.push(`backslash in '${text.data.trim().slice(0, 60)}'`);
  }
  return found;
}"""
# Run in the window of each width.
TOO_WIDE = """() => {
  const {scrollWidth, clientWidth} = document.documentElement;
  return scrollWidth > clientWidth ? [`is ${scrollWidth} px wide in a window of ${clientWidth}`] : [];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the browser reports what it misses."""


async def _in_time(step: Awaitable[T], name: str) -> T:
    try:
        return await asyncio.wait_for(step, PATIENCE)
    except (TimeoutError, Error) as error:
        reason = str(error).splitlines()[0] if isinstance(error, Error) else f"not done after {PATIENCE} s"
        raise OSError(f"{name}: {reason}") from None


async def faults(context: BrowserContext, address: str, pictures: str | None) -> list[str]:
    """What is wrong with a page, which is loaded once and then seen in windows of all widths.

    Args:
        context: where the page is opened.
        address: what to load.
        pictures: path of the screenshots without the width and `.png`; None for none.
    """
    found: list[str] = []
    try:
        page = await _in_time(context.new_page(), "opening")
        page.on("console", lambda said: found.append(f"console: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        await _in_time(page.goto(address, wait_until="load"), "loading")
        found += await _in_time(page.evaluate(FAULTS), "pictures and sounds")
        for width in WIDTHS:
            await _in_time(page.set_viewport_size({"width": width, "height": HEIGHT}), f"{width} px")
            found += await _in_time(page.evaluate(TOO_WIDE), f"{width} px")
            if pictures is not None:
                path = f"{pictures}{width}.png"
                await _in_time(page.screenshot(path=path, full_page=True), f"{width} px, picture")
        await _in_time(page.close(), "closing")
    except OSError as error:
        found.append(str(error))
    return found


async def _check_scheme(
    browser: Browser, scheme: str, names: Iterator[str], address: str, screenshots: Path | None
) -> list[str]:
    """One line a fault of the pages that this worker takes from `names`, which it shares with others."""
    opened = browser.new_context(viewport={"width": WIDTHS[0], "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type]
    context = await _in_time(opened, "the browser")
    found = []
    for name in names:
        folder = name.removesuffix("index.html")
        pictures = str(screenshots / f"{folder.replace('/', '-')}{scheme}-") if screenshots else None
        found += [f"{name}, {scheme}: {fault}" for fault in await faults(context, f"{address}/{folder}", pictures)]
    return found


async def check(program: str, site: Path, address: str, screenshots: Path | None) -> list[str]:
    """One line a fault, for all pages of `site`, which is served at `address`."""
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("index.html"))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        workers = [
            _check_scheme(browser, scheme, shared, address, screenshots)
            for scheme in SCHEMES
            for shared in [iter(pages)] * AT_ONCE
        ]
        found = await asyncio.gather(*workers)
        await _in_time(browser.close(), "the browser")
    return sorted(fault for worker in found for fault in worker)


def main() -> int:
    """Serve the site to a browser of this machine and print the faults."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("site", type=Path, help="folder that `mkdocs build` wrote")
    parser.add_argument("--screenshots", type=Path, help="also keep a picture of each page here")
    words = parser.parse_args()
    if not (words.site / "index.html").is_file():
        parser.error(f"{words.site} has no index.html, expected a built site; run `nox -s docs`")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(f"check_site: none of {', '.join(BROWSERS)} is installed; pages are not looked at")
        return 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(words.site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    found = asyncio.run(check(program, words.site, address, words.screenshots))
    server.shutdown()
    for line in found:
        print(line)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
