"""Draws the app's PNG icons from its SVG marks; run after the marks change: ``python -m tools.icons``."""

from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.chromium import CHROMIUM, SWITCHES

ASSETS = Path(__file__).parent.parent / "web/public/assets"
ICONS = {
    "icon-192.png": ("icon.svg", 192),
    "icon-512.png": ("icon.svg", 512),
    "icon-maskable-512.png": ("icon-maskable.svg", 512),
    "icon-180.png": ("icon-maskable.svg", 180),  # iOS rounds the corners itself and fills transparency with black
}


def main() -> None:
    """Write every icon."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for name, (mark, pixels) in ICONS.items():
            page = browser.new_page(viewport={"width": pixels, "height": pixels})
            svg = (ASSETS / mark).read_text()
            page.set_content(
                f"<style>*{{margin:0}}svg{{display:block;width:{pixels}px;height:{pixels}px}}</style>{svg}"
            )
            page.screenshot(path=ASSETS / name, omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
