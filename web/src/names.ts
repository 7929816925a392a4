// What feeds and senders are called on the page. Keys and codes are for machines: people see a name or the service's.
import type { Entry, Feed, FeedRef } from "./api";
import { i18n } from "./preferences";
import { clockTime } from "./time";

const DIALECTS = ["pushplus", "wecom", "pushgo", "ums", "easemob", "native"];

export function dialectName(dialect: string): string {
  return DIALECTS.includes(dialect) ? i18n.global.t(`dialects.${dialect}`) : dialect;
}

export function feedName(feed: FeedRef | Feed, dialect: string): string {
  if ("peer" in feed && feed.peer !== null) return feed.peer.name || feed.peer.uid;
  if (feed.name && feed.name !== feed.code) return feed.name;
  return dialectName(dialect);
}

/** A direct feed bears no name of its own: the mailbox's list of feeds names the other side. */
export function feedNameOf(entry: Entry, feeds: ReadonlyMap<string, Feed>): string {
  const known = feeds.get(entry.feed.id) ?? entry.feed;
  if (known.kind === "direct" && !known.name && !isOwnFeed(known)) return senderName(entry);
  return feedName(known, entry.dialect);
}

export function senderName(entry: Entry): string {
  const name = entry.sender.name;
  return name && name !== entry.feed.code ? name : feedName(entry.feed, entry.dialect);
}

/** A title that says something the rest of the entry does not; services fill in what the sender left out. */
export function ownTitle(entry: Entry): string {
  const title = entry.title.trim();
  const isSaidElsewhere = title === entry.sender.name || oneLine(entry.text).startsWith(title);
  return isSaidElsewhere ? "" : title;
}

/** What a message is, where only a line has room: a picture or a place has no words of its own. */
export function gist(entry: Entry): string {
  const { t } = i18n.global;
  if (entry.recalled_at !== null) return t("recalled");
  if (entry.kind_of === "text" || entry.kind_of === "message") return oneLine(entry.summary || entry.text || entry.title);
  const more = {
    image: "",
    voice: entry.duration_s === null ? "" : clockTime(entry.duration_s),
    video: entry.duration_s === null ? "" : clockTime(entry.duration_s),
    file: entry.attachments[0]?.name ?? "",
    location: entry.location?.address ?? "",
    custom: entry.custom?.event ?? "",
    command: "",
  }[entry.kind_of];
  return `[${t(`kinds.${entry.kind_of}`)}] ${more}`.trim();
}

export function oneLine(text: string): string {
  return text.slice(0, 400).replace(/\s+/g, " ").trim();
}

/** The direct feed of somebody with himself. */
function isOwnFeed(feed: FeedRef): boolean {
  const [one, other] = feed.code.split(":");
  return one === other;
}
