// What may be shown of a message, and how: addresses, pictures, the page inside the sandboxed frame.
import type { Action, Entry, Place } from "./api";

const WEB = /^https?:\/\//i;
const OWN_FILE = /^\/f\//;
const LINK = /https?:\/\/[^\s<>"'，。；！？、（）【】《》「」]+/gi;
const TRAILING = /[.,;:!?)\]}'"]+$/;
const PHONE = "(max-width: 760px)";
const COLOURED = /\b(?:color|background(?:-color)?|bgcolor)\s*[=:]/i;

export interface Piece {
  text: string;
  url: string;
}

/** Plain text with its web addresses marked. */
export function linked(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const url = match[0].replace(TRAILING, "");
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), url: "" });
    pieces.push({ text: url, url });
    from = match.index + url.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), url: "" });
  return pieces;
}

/** An address that a person may follow; empty for any other. */
export function webAddress(url: string): string {
  return WEB.test(url) || OWN_FILE.test(url) ? url : "";
}

/** What a reader may press: answers, and links that may be followed. */
export function offeredActions(entry: Entry): Action[] {
  return entry.actions.filter((action) => action.key || webAddress(action.url));
}

/** A map for a place, to be opened by a person. */
export function mapAddress({ lat, lng }: Place): string {
  return `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lng}#map=16/${lat}/${lng}`;
}

export function isRemote(url: string): boolean {
  return !OWN_FILE.test(url) && !url.startsWith(`${location.origin}/`);
}

/** Pictures beside the text: own files, and what comes over https. */
export function pictures(entry: Entry): string[] {
  return entry.images.filter((url) => OWN_FILE.test(url) || /^https:\/\//i.test(url) || !isRemote(url));
}

/** Whether pictures wait for a click: a picture tells its host who reads when, and from where. */
export function hasRemotePictures(entry: Entry): boolean {
  return pictures(entry).some(isRemote) || (entry.format !== "text" && /<img\s[^>]*src=/i.test(entry.html));
}

function leaveOutPictures(page: Document): void {
  for (const picture of page.querySelectorAll("img")) {
    const stand = page.createElement("span");
    stand.className = "picture";
    stand.textContent = `▧ ${picture.alt}`.trim();
    picture.replaceWith(stand);
  }
}

/** A table that is wider than a phone is moved under the finger; squeezed, its words would break after two letters. */
function letTablesScroll(page: Document): void {
  for (const table of page.querySelectorAll("table")) {
    if (table.parentElement?.closest("table")) continue;
    const box = page.createElement("div");
    box.className = "wide";
    table.replaceWith(box);
    box.append(table);
  }
}

function prepared(html: string, withPictures: boolean): string {
  // A document of DOMParser is inert: nothing in it runs or loads.
  const page = new DOMParser().parseFromString(html, "text/html");
  if (!withPictures) leaveOutPictures(page);
  letTablesScroll(page);
  return page.body.innerHTML;
}

/** A message whose author chose colours was made for white paper. */
export function needsPaper(entry: Entry): boolean {
  return entry.format === "html" && COLOURED.test(entry.html);
}

export interface FrameStyle {
  isDark: boolean;
  withPictures: boolean;
}

/** The whole page of the frame: it may run nothing, and reach nothing but pictures once they are asked for. */
export function framePage(html: string, { isDark, withPictures }: FrameStyle): string {
  const images = withPictures ? `https: data: ${location.origin}` : "data:";
  // The frame keeps the margins of the reader around it.
  const [side, size] = window.matchMedia(PHONE).matches ? [18, 16] : [28, 15];
  const [text, link, soft, line] = isDark
    ? ["#e7e9ec", "#ff9a5c", "#1f242b", "#39404a"]
    : ["#1c1f23", "#c2410c", "#f3f4f6", "#dfe3e8"];
  return `<!doctype html><html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src ${images}; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer"><base target="_blank">
<style>
:root{color-scheme:${isDark ? "dark" : "light"}}
html{overflow-x:hidden;scrollbar-width:thin}
body{margin:0;padding:4px ${side}px 24px;font:${size}px/1.65 Inter,system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
color:${text};overflow-wrap:anywhere}
a{color:${link}}img{max-width:100%;height:auto;border-radius:8px}
pre,code,kbd,samp{font-family:ui-monospace,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;font-size:.9em}
code{padding:.1em .35em;border-radius:5px;background:${soft}}
pre{padding:12px 14px;border-radius:10px;overflow:auto;background:${soft}}pre code{padding:0;background:none}
blockquote{margin:0 0 1em;padding:2px 0 2px 14px;border-left:3px solid ${line};opacity:.85}
.wide{overflow-x:auto;overflow-wrap:break-word;margin:0 0 1em}table{border-collapse:collapse;max-width:100%}td,th{border:1px solid ${line};padding:5px 11px;text-align:left}
th{background:${soft}}hr{border:0;border-top:1px solid ${line};margin:1.2em 0}
h1,h2,h3,h4{line-height:1.3;margin:1em 0 .45em}h1{font-size:1.4em}h2{font-size:1.2em}h3{font-size:1.06em}
body>:first-child{margin-top:0}p{margin:0 0 .8em}ul,ol{padding-left:1.5em}
.picture{display:inline-block;padding:2px 8px;border:1px dashed ${line};border-radius:6px;font-size:.86em;opacity:.75}
</style></head><body>${prepared(html, withPictures)}</body></html>`;
}

const UNITS = ["B", "KB", "MB", "GB"];

export function fileSize(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}
