"""Open every page of the built site in a browser, as on a phone and on a desk, light and dark; exit 1 at a fault.

python tools/check_site.py SITE [--screenshots FOLDER]

Faults are: a page wider than its window, a message of error in the console, a file that is missing, a picture or sound
that does not load, and a backslash outside code, which a formula left. Needs playwright and a Chromium or Chrome of
this machine; without a browser it says so and exits 0.
"""

import argparse
import functools
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
# Run in the page; gives one line a fault.
FAULTS = r"""async () => {
  for (const block of document.querySelectorAll("details")) block.open = true;
  for (const image of document.images) image.loading = "eager";
  const found = [];
  const root = document.documentElement;
  const [wanted, given] = [root.scrollWidth, root.clientWidth];
  if (wanted > given) found.push(`is ${wanted} px wide in a window of ${given}`);
  await Promise.all([...document.images].map(image => image.decode().catch(() => found.push(`picture ${image.src}`))));
  const known = sound => sound.readyState > 0 || new Promise(resolve => {
    sound.onloadedmetadata = () => resolve(true);
    sound.onerror = () => resolve(false);
    sound.load();
  });
  for (const sound of document.querySelectorAll("audio")) if (!await known(sound)) found.push(`sound ${sound.src}`);
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.data.includes("\\") && !text.parentElement.closest("pre, code, script"))
      found.push(`backslash in '${text.data.trim().slice(0, 60)}'`);
  }
  return found;
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the browser reports what it misses."""


def faults(page: Page, address: str) -> list[str]:
    """What is wrong with a page in the window as it is."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(f"script: {error}"))
    page.goto(address, wait_until="load")
    return [*heard, *page.evaluate(FAULTS)]


def check(browser: Browser, site: Path, address: str, screenshots: Path | None) -> Iterator[str]:
    """One line a fault, for all pages of `site`, which is served at `address`."""
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("index.html"))
    for width in WIDTHS:
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for name in pages:
                page = context.new_page()
                for fault in faults(page, f"{address}/{name.removesuffix('index.html')}"):
                    yield f"{name}, {width} px, {scheme}: {fault}"
                if screenshots is not None:
                    file = f"{name.removesuffix('index.html').replace('/', '-')}{width}-{scheme}.png"
                    page.screenshot(path=screenshots / file, full_page=True)
                page.close()
            context.close()


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        found = list(check(browser, words.site, f"http://127.0.0.1:{server.server_port}", words.screenshots))
    server.shutdown()
    for line in found:
        print(line)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
