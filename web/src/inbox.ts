// The mailbox behind the page: which part of it is looked at, what of that was loaded, and where the stream stands.
import { computed, reactive, ref, shallowRef } from "vue";
import { ApiError, api, type Action, type Entry, type Feed, type Item, type Page } from "./api";
import { Entries, holds, isUnread } from "./entries";
import { InboxStream } from "./stream";
import { Talk } from "./talk";

const FEEDS_SOON_MS = 50;
const FEEDS_EVERY_MS = 1000;
const PARALLEL_READS = 6;
const PRESENCE_EVERY_MS = 20_000;
const MOST_PEOPLE = 100;

/** A feed, a search, or both: from `floor` on, everything in it was loaded. */
interface View {
  floor: number;
  atEnd: boolean;
  found: Set<number>;
}

export interface Listener {
  signedOut(): void;
  arrived(entry: Entry): void;
}

export class Inbox {
  readonly entries = new Entries();
  /** Conversations that began here and have no entry yet come first. */
  readonly feeds = computed(() => {
    const known = new Set(this.counted.value.map((feed) => feed.id));
    return [...this.begun.value.filter((feed) => !known.has(feed.id)), ...this.counted.value];
  });
  private readonly counted = ref<Feed[]>([]);
  private readonly begun = ref<Feed[]>([]);
  /** Moves when what was loaded is forgotten. */
  readonly epoch = ref(0);
  readonly feed = ref("");
  readonly query = ref("");
  readonly loading = ref(false);
  readonly failed = ref(false);
  readonly stream = shallowRef<InboxStream | null>(null);
  private readonly views = reactive(new Map<string, View>());
  private readonly untold = new Set<number>();
  private readonly talks = new Map<string, Talk>();
  private rev = 0;
  private feedsDue: number | undefined;
  private feedsAt = 0;
  private asking: number | undefined;

  readonly view = computed(() => this.views.get(this.viewKey()));
  readonly shown = computed(() => {
    const view = this.view.value;
    return view === undefined ? [] : this.entries.newestFirst.value.filter((entry) => this.isIn(view, entry));
  });
  readonly unread = computed(() => this.feeds.value.reduce((sum, feed) => sum + feed.unread, 0));
  readonly feedById = computed(() => new Map(this.feeds.value.map((feed) => [feed.id, feed])));
  readonly unreadHere = computed(() =>
    this.feed.value ? (this.feedById.value.get(this.feed.value)?.unread ?? 0) : this.unread.value,
  );

  constructor(private readonly listener: Listener) {}

  /** Load the newest page, then follow what comes after it. */
  async open(): Promise<void> {
    const [page] = await Promise.all([this.more(), this.loadFeeds()]);
    if (page === null || this.stream.value !== null) return;
    this.rev = Math.max(this.rev, page.next);
    const stream = new InboxStream({
      position: () => this.rev,
      take: (frame) => this.take(frame),
      live: () => this.resume(),
      signedOut: () => this.listener.signedOut(),
    });
    this.stream.value = stream;
    stream.open();
    this.asking = window.setInterval(() => void this.askPresence(), PRESENCE_EVERY_MS);
  }

  close(): void {
    window.clearTimeout(this.feedsDue);
    window.clearInterval(this.asking);
    this.stream.value?.close();
  }

  /** Look at a feed ("" = all), with a search ("" = none). */
  async show(feed: string, query: string): Promise<void> {
    this.feed.value = feed;
    this.query.value = query;
    if (this.view.value === undefined) await this.more();
  }

  /** Load what is older than what is shown; null when there is nothing to do. */
  async more(): Promise<Page | null> {
    const key = this.viewKey();
    const view = this.views.get(key) ?? { floor: Number.MAX_SAFE_INTEGER, atEnd: false, found: new Set<number>() };
    if (this.loading.value || view.atEnd) return null;
    const [feed, query] = [this.feed.value, this.query.value];
    this.loading.value = true;
    this.failed.value = false;
    try {
      const page = await api.history(view.floor === Number.MAX_SAFE_INTEGER ? 0 : view.floor, feed, query);
      page.items.forEach((item) => this.entries.keep(item));
      this.views.set(key, extended(view, page));
      return page;
    } catch (error) {
      this.failed.value = true;
      throw error;
    } finally {
      this.loading.value = false;
      if (key !== this.viewKey() && this.view.value === undefined) this.more().catch(() => undefined);
    }
  }

  /** An entry that may not be loaded yet. */
  async fetch(seq: number): Promise<void> {
    if (this.entries.get(seq) === undefined) (await api.one(seq)).items.forEach((item) => this.entries.keep(item));
  }

  async markRead(entry: Entry): Promise<void> {
    if (!isUnread(entry)) return;
    this.entries.markRead(entry.seq);
    this.count(entry.feed.id, -1);
    await this.tellRead(entry.seq);
  }

  /** What is read without a connection is told once there is one. */
  private async tellRead(seq: number): Promise<void> {
    try {
      await api.read(seq);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 0) throw error;
      this.untold.add(seq);
    }
  }

  /** The conversation of a direct feed; it keeps what is being written while another one is looked at. */
  talk(feed: string): Talk {
    const known = this.talks.get(feed) ?? new Talk(feed, this);
    this.talks.set(feed, known);
    return known;
  }

  /** The conversation with a person, made at first use → its feed. */
  async converse(uid: string): Promise<string> {
    const { feed } = await api.converse(uid);
    this.begun.value = [feed, ...this.begun.value.filter((one) => one.id !== feed.id)];
    return feed.id;
  }

  /** A conversation was seen up to an entry. The marker is the mailbox's: it moves where nothing else waits below it. */
  async markSeen(feed: string, upTo: number): Promise<void> {
    const waiting = this.entries.newestFirst.value.filter((entry) => entry.seq <= upTo && isUnread(entry));
    const here = waiting.filter((entry) => entry.feed.id === feed);
    if (here.length === 0) return;
    const isAlone = here.length === waiting.length && this.feeds.value.every((one) => one.id === feed || one.unread === 0);
    if (!isAlone) return this.markEach(here);
    this.entries.markUpTo(upTo, new Date().toISOString());
    this.count(feed, -here.length);
    await api.readUpTo(upTo);
    this.feedsLater();
  }

  async markAllRead(): Promise<void> {
    if (this.feed.value === "") {
      const newest = this.entries.newest;
      if (newest === 0) return;
      this.entries.markUpTo(newest, new Date().toISOString());
      await api.readUpTo(newest);
    } else await this.markFeedRead(this.feed.value);
    await this.loadFeeds();
  }

  async press(entry: Entry, action: Action): Promise<void> {
    await api.press(entry.seq, action);
    this.entries.answer(entry.seq, action);
  }

  async remove(entry: Entry): Promise<void> {
    await api.remove(entry.seq);
    this.entries.drop(entry.seq);
    this.feedsLater();
  }

  /** The marker is the mailbox's: within one feed, entries are read one by one. */
  private async markFeedRead(feed: string): Promise<void> {
    while (this.view.value?.atEnd === false && this.shown.value.filter(isUnread).length < this.unreadHere.value) {
      if ((await this.more()) === null) break;
    }
    await this.markEach(this.entries.newestFirst.value.filter((entry) => entry.feed.id === feed && isUnread(entry)));
  }

  private async markEach(unread: Entry[]): Promise<void> {
    for (let next = 0; next < unread.length; next += PARALLEL_READS) {
      await Promise.all(unread.slice(next, next + PARALLEL_READS).map((entry) => this.markRead(entry)));
    }
  }

  private viewKey(): string {
    return `${this.feed.value}\n${this.query.value}`;
  }

  private isIn(view: View, entry: Entry): boolean {
    if (entry.seq < view.floor || (this.feed.value && entry.feed.id !== this.feed.value)) return false;
    return this.query.value === "" || view.found.has(entry.seq) || holds(entry, this.query.value);
  }

  private take(page: Page): void {
    if (page.gap) this.startOver(page.next);
    for (const item of page.items) {
      if (item.rev <= this.rev) continue;
      this.rev = item.rev;
      this.follow(item);
    }
  }

  /** What failed for want of a connection is done now, whatever is looked at. Each tells its own failure. */
  private resume(): void {
    if (this.failed.value) this.more().catch(() => undefined);
    this.talks.forEach((talk) => talk.resume());
    const untold = [...this.untold];
    this.untold.clear();
    // One that is gone meanwhile needs no telling.
    untold.forEach((seq) => this.tellRead(seq).catch(() => undefined));
  }

  private follow(item: Item): void {
    const before = this.entries.get(item.seq);
    this.entries.keep(item);
    const isNew = item.kind === "entry" && item.rev === item.seq;
    if (item.kind === "entry" && (before !== undefined || isNew)) {
      const change = Number(isUnread(item)) - Number(before !== undefined && isUnread(before));
      if (change !== 0) this.count(item.feed.id, change);
    }
    if (isNew && isUnread(item)) this.listener.arrived(item);
    this.feedsLater();
  }

  /** The stream missed what can no longer be told: what is shown is loaded anew. */
  private startOver(rev: number): void {
    this.rev = rev;
    this.entries.clear();
    this.views.clear();
    this.talks.forEach((talk) => talk.forget());
    this.epoch.value += 1;
    // A failure is shown in the list.
    this.more().catch(() => undefined);
    this.feedsLater();
  }

  /** A count changes on the page at once; the server's own follows. */
  private count(feed: string, change: number): void {
    this.counted.value = this.counted.value.map((one) =>
      one.id === feed ? { ...one, unread: Math.max(0, one.unread + change) } : one,
    );
  }

  private feedsLater(): void {
    if (this.feedsDue !== undefined) return;
    const wait = Math.max(FEEDS_SOON_MS, this.feedsAt + FEEDS_EVERY_MS - Date.now());
    this.feedsDue = window.setTimeout(() => {
      this.feedsDue = undefined;
      // The next change asks again.
      this.loadFeeds().catch(() => undefined);
    }, wait);
  }

  private async loadFeeds(): Promise<void> {
    this.feedsAt = Date.now();
    this.counted.value = (await api.feeds()).items;
  }

  /** Who of the people in the list is there; the stream does not tell. */
  private async askPresence(): Promise<void> {
    const people = this.feeds.value.flatMap((feed) => feed.peer?.uid ?? []).slice(0, MOST_PEOPLE);
    if (document.visibilityState !== "visible" || people.length === 0) return;
    // The next round asks again.
    const online = await api.presence(people).catch(() => null);
    if (online === null) return;
    const told = (feed: Feed): Feed =>
      feed.peer === null ? feed : { ...feed, peer: { ...feed.peer, online: online[feed.peer.uid] ?? feed.peer.online } };
    this.counted.value = this.counted.value.map(told);
    this.begun.value = this.begun.value.map(told);
  }
}

function extended(view: View, page: Page): View {
  const seqs = page.items.map((item) => item.seq);
  const atEnd = page.more !== true || seqs.length === 0;
  return { floor: atEnd ? 0 : Math.min(view.floor, ...seqs), atEnd, found: new Set([...view.found, ...seqs]) };
}
