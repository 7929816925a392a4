"""Which words of a page are too faint to be read by everybody (WCAG 2.2, 1.4.3)."""

from playwright.async_api import Page

_LEAST = 4.5
"""Contrast of words to their ground; large ones would need less."""
_MEASURE = """least => {
    const colour = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
    const over = (top, ground) => ground.map((value, at) => at < 3 ? top[at] * top[3] + value * (1 - top[3]) : 1);
    const light = ([r, g, b]) => [r, g, b].map(value => value / 255)
        .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = node => {
        if (node === null) return [255, 255, 255, 1];
        const own = colour(getComputedStyle(node).backgroundColor);
        return own[3] === 1 ? own : over(own, ground(node.parentElement));
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement, words = texts.currentNode.data.trim();
        if (!words || !node.checkVisibility() || node.closest('script, style, .visually-hidden, :disabled')) continue;
        const below = ground(node);
        const [a, b] = [light(over(colour(getComputedStyle(node).color), below)), light(below)];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < least) found.push(`${words.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return found;
}"""


async def too_faint(page: Page) -> list[str]:
    """Visible words below the contrast, with what they have; pictures and disabled controls left out."""
    return list(await page.evaluate(_MEASURE, _LEAST))
