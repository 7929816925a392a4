// What the page knows of the mailbox: entries by seq, and the rev it stands at.
import { computed, reactive, ref, shallowRef } from "vue";
import { api, type Entry, type Feed, type Item } from "./api";
import { InboxStream } from "./stream";

export class Inbox {
  readonly entries = reactive(new Map<number, Entry>());
  readonly feeds = ref<Feed[]>([]);
  readonly feed = ref("");
  readonly query = ref("");
  readonly selected = ref<number | null>(null);
  readonly loading = ref(false);
  readonly atEnd = ref(false);
  readonly stream = shallowRef<InboxStream | null>(null);
  private rev = 0;

  /** Newest first, of the chosen feed. */
  readonly shown = computed(() => {
    const wanted = this.feed.value;
    const all = [...this.entries.values()].filter((entry) => wanted === "" || entry.feed?.id === wanted);
    return all.sort((a, b) => b.seq - a.seq);
  });

  readonly unread = computed(() => [...this.entries.values()].filter(isUnread).length);
  readonly current = computed(() => (this.selected.value === null ? null : this.entries.get(this.selected.value)) ?? null);

  constructor(private readonly onSignedOut: () => void) {}

  /** Load the newest page, then follow what comes after it. */
  async open(): Promise<void> {
    await this.reload();
    const stream = new InboxStream(
      () => this.rev,
      (items) => this.take(items),
      () => this.onSignedOut(),
    );
    this.stream.value = stream;
    stream.open();
  }

  close(): void {
    this.stream.value?.close();
  }

  /** Start over: another search, or a first look. */
  async reload(): Promise<void> {
    this.loading.value = true;
    try {
      const page = await api.history(0, this.feed.value, this.query.value);
      this.entries.clear();
      this.keep(page.items);
      this.rev = Math.max(this.rev, page.next);
      this.atEnd.value = page.items.length === 0;
      await this.loadFeeds();
    } finally {
      this.loading.value = false;
    }
  }

  /** Older entries, for the list's end. */
  async older(): Promise<void> {
    if (this.loading.value || this.atEnd.value) return;
    const oldest = this.shown.value.at(-1)?.seq ?? 0;
    if (oldest <= 1) return;
    this.loading.value = true;
    try {
      const page = await api.history(oldest, this.feed.value, this.query.value);
      this.keep(page.items);
      this.atEnd.value = page.items.length === 0;
    } finally {
      this.loading.value = false;
    }
  }

  async show(feed: string): Promise<void> {
    this.feed.value = feed;
    this.selected.value = null;
    await this.reload();
  }

  async openEntry(entry: Entry): Promise<void> {
    this.selected.value = entry.seq;
    if (isUnread(entry)) await api.read(entry.seq);
  }

  async readAll(): Promise<void> {
    const newest = Math.max(0, ...this.entries.keys());
    if (newest > 0) await api.readUpTo(newest);
  }

  async remove(entry: Entry): Promise<void> {
    await api.remove(entry.seq);
    if (this.selected.value === entry.seq) this.selected.value = null;
  }

  private take(items: Item[]): void {
    const fresh = items.filter((item) => item.rev > this.rev);
    for (const item of fresh) {
      this.rev = item.rev;
      if (item.kind === "entry") this.announce(item);
    }
    this.keep(fresh);
    if (fresh.length > 0) void this.loadFeeds();
  }

  private keep(items: Item[]): void {
    for (const item of items) {
      if (item.kind === "entry") this.entries.set(item.seq, item);
      else if (item.kind === "removed") this.entries.delete(item.seq);
      else this.markReadUpTo(item.seq);
    }
  }

  private markReadUpTo(seq: number): void {
    const now = new Date().toISOString();
    for (const entry of this.entries.values()) {
      if (entry.seq <= seq && entry.read_at === null) this.entries.set(entry.seq, { ...entry, read_at: now });
    }
  }

  private announce(entry: Entry): void {
    if (this.entries.has(entry.seq) || entry.direction === "out" || document.visibilityState === "visible") return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const shown = new Notification(entry.title || entry.sender.name, { body: entry.text.slice(0, 200), tag: entry.message_id });
    shown.onclick = () => {
      window.focus();
      void this.openEntry(entry);
    };
  }

  private async loadFeeds(): Promise<void> {
    this.feeds.value = (await api.feeds()).items;
  }
}

export function isUnread(entry: Entry): boolean {
  return entry.direction === "in" && entry.read_at === null && entry.recalled_at === null;
}
